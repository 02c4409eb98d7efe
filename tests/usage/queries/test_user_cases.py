"""Every case of user_cases.py: through the spool, the shipper and the roll-up, to the rows of the table."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from apps.accounts.models import Organization
from apps.pricing.rating import Tokens
from apps.usage.models import Snapshot
from apps.usage.queries import Scope, users
from apps.usage.queries.snapshot_users import users_of
from apps.usage.queries.users import UserRow, every_user
from apps.usage.ranges import DAY, midnight
from apps.usage.record import encode
from apps.usage.rollup import roll_up
from apps.usage.snapshots import Asked, take_snapshot
from tests.cast import Cast
from tests.usage.conftest import an_intent, an_outcome, write_spool
from tests.usage.queries.user_cases import CASES, UNFINISHED, USUAL, Call, Case


def test_there_are_enough_of_them():
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_users_are_as_worked_out(cast: Cast, root: Path, ship: Callable[[], int], case: Case):
    Organization.objects.filter(pk=cast.acme.pk).update(time_zone=case.zone)
    for calls in _batches(case):
        write_spool(root, [payload for call in calls for payload in _payloads(cast, call)])
        ship()
        roll_up()
    zone = ZoneInfo(case.zone)
    first, last = (date.fromisoformat(day) for day in case.days)
    since, until = midnight(first, zone), midnight(last + DAY, zone)
    by_days = Scope(cast.acme.pk, since, until)
    by_hours = Scope(cast.acme.pk, since.astimezone(UTC), until.astimezone(UTC))
    assert (by_days.is_of_days, by_hours.is_of_days) == (True, False)
    for scope in (by_days, by_hours):
        page = users(scope, zone)
        assert [_told(row) for row in page.rows] == [_expected(row) for row in case.rows]
        assert page.total == len(case.rows)
        if case.more:
            assert _more(page.rows[0], set(case.more)) == case.more
        exported = list(every_user(scope, zone))
        assert [(each.key, each.active_days, each.figures) for each in exported] == [
            (row.key, row.active_days, row.figures) for row in page.rows
        ]
    assert take_snapshot(Asked(cast.acme.pk, case.zone, first, last))
    assert users_of(Snapshot.objects.get()) == users(by_days, zone)


def _batches(case: Case) -> Iterator[list[Call]]:
    if case.late:
        yield from ([call] for call in reversed(case.calls))
    else:
        yield case.calls


def _payloads(cast: Cast, call: Call) -> list[bytes]:
    call = USUAL | call
    intent = an_intent(cast.globex, at=datetime.fromisoformat(call["at"]).replace(tzinfo=UTC), end_user=call["user"])
    if call["result"] == UNFINISHED:
        return [encode(intent)]
    cost, price = (None if call[name] is None else Decimal(call[name]) for name in ("cost", "price"))
    outcome = an_outcome(
        intent,
        result=call["result"],
        status=call["status"],
        latency_ms=call["ms"],
        tokens=Tokens(input=call["input"], output=call["output"]),
        cost=cost,
        price=price,
    )
    return [encode(intent), encode(outcome)]


def _told(row: UserRow) -> tuple[object, ...]:
    figures = row.figures
    counts = (figures.requests, figures.refused, figures.errors, row.active_days, figures.tokens)
    return (row.end_user, *counts, figures.cost, figures.price)


def _expected(row: tuple[object, ...]) -> tuple[object, ...]:
    *counts, cost, price = row
    return (*counts, Decimal(str(cost)), Decimal(str(price)))


def _more(row: UserRow, names: set[str]) -> dict[str, object]:
    figures = row.figures
    told = {
        "a_day": row.requests_per_active_day,
        "tokens_each": figures.tokens_per_request,
        "cost_each": figures.cost_per_request,
        "margin": figures.margin,
        "error_rate": figures.error_rate,
        "unpriced": figures.unpriced,
        "first": figures.first_at and figures.first_at.astimezone(UTC).replace(tzinfo=None).isoformat(),
        "last": figures.last_at and figures.last_at.astimezone(UTC).replace(tzinfo=None).isoformat(),
    }
    return {name: told[name] for name in names}
