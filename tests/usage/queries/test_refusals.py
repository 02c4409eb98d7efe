from datetime import timedelta

from apps.usage.models import Result
from apps.usage.queries import Period, recent_requests, refusals
from apps.usage.record import REFUSED
from tests.usage.conftest import NOON, a_call, write_spool

HOUR = timedelta(hours=1)


def a_refusal(customer, code: str, status: int, minutes: int = 0) -> list[bytes]:
    outcome = {"result": REFUSED, "error_code": code, "status": status, "cost": 0, "price": 0}
    return a_call(customer, at=NOON + timedelta(minutes=minutes), outcome=outcome)


def test_refusals_by_reason(cast, root, ship):
    for minutes in (0, 10, 20, 60):
        write_spool(root, a_refusal(cast.globex, "rate_limit_exceeded", 429, minutes))
    write_spool(root, a_refusal(cast.globex, "spend_cap_reached", 402, 5))
    write_spool(root, a_refusal(cast.initech, "model_not_allowed", 403))
    write_spool(root, a_refusal(cast.shady, "rate_limit_exceeded", 429))
    write_spool(root, a_call(cast.globex))
    ship()
    found = refusals(cast.acme.pk, cast.globex.pk, start=NOON, end=NOON + HOUR)
    assert [(each.code, each.status, each.requests) for each in found] == [
        ("rate_limit_exceeded", 429, 3),
        ("spend_cap_reached", 402, 1),
    ]
    assert (found[0].first_at, found[0].last_at) == (NOON, NOON + timedelta(minutes=20))
    codes = [each.code for each in refusals(cast.acme.pk, start=NOON, end=NOON + HOUR)]
    assert codes == ["rate_limit_exceeded", "model_not_allowed", "spend_cap_reached"]


def test_single_refusals_newest_first(cast, root, ship):
    write_spool(root, a_refusal(cast.globex, "spend_cap_reached", 402, 5))
    write_spool(root, a_call(cast.globex, at=NOON + HOUR))
    write_spool(root, a_refusal(cast.globex, "rate_limit_exceeded", 429, 9))
    ship()
    found = recent_requests(cast.acme.pk, cast.globex.pk, result=Result.REFUSED).requests
    assert [request.error_code for request in found] == ["rate_limit_exceeded", "spend_cap_reached"]


def test_single_refusals_of_a_reason_and_a_period(cast, root, ship):
    for minutes, code in ((0, "a"), (10, "a"), (20, "b"), (60, "a")):
        write_spool(root, a_refusal(cast.globex, code, 429, minutes))
    ship()
    period = Period(NOON + timedelta(minutes=10), NOON + HOUR)
    found = recent_requests(cast.acme.pk, result=Result.REFUSED, error_code="a", period=period).requests
    assert [request.started_at for request in found] == [NOON + timedelta(minutes=10)]
    assert len(recent_requests(cast.acme.pk, result=Result.REFUSED, period=period).requests) == 2
