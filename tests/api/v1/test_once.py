"""Requests with an `Idempotency-Key`: done once, however often and however many at once they come."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEvent
from apps.api.models import KeyedRequest
from apps.api.tasks import KEPT, forget_keyed_requests
from apps.billing.models import CreditLot, Invoice, Plan, Voucher
from tests.api.v1.conftest import Program
from tests.billing.wallets import a_wallet, assert_adds_up
from tests.cast import Cast, an_api_token, at_once, reread

GRANT = {"amount": "20", "note": "Welcome"}


@pytest.fixture
def path(cast: Cast) -> str:
    a_wallet(cast.globex)
    return f"customers/{cast.globex.pk}/wallet/grant"


def test_sent_again_it_is_done_once_and_answered_as_the_first_time(acmes: Program, cast: Cast, path: str):
    first = acmes.does("POST", path, GRANT, key="order-1", status=201)
    again = acmes("POST", path, GRANT, headers={"idempotency-key": "order-1"})
    assert (again.status_code, again.json(), again.headers["Idempotency-Replayed"]) == (201, first, "true")
    assert [lot.amount for lot in CreditLot.objects.all()] == [Decimal(20)]
    assert AuditEvent.objects.filter(action="credit.grant").count() == 1
    assert acmes.does("POST", path, GRANT, key="order-2", status=201)["id"] != first["id"]
    assert reread(cast.globex.wallet).balance == 40


@pytest.mark.parametrize("other", [GRANT | {"amount": "21"}, GRANT | {"note": "Other"}, GRANT | {"priority": 1}])
def test_something_else_under_the_same_key_is_a_conflict(acmes: Program, cast: Cast, path: str, other):
    acmes.does("POST", path, GRANT, key="order-1", status=201)
    told = acmes.does("POST", path, other, key="order-1", status=409)
    assert told["detail"] == "This Idempotency-Key was sent with something else before: take another."
    elsewhere = path.replace("grant", "take")
    acmes.does("POST", elsewhere, {"amount": "1", "reason": "x"}, key="order-1", status=409)
    assert reread(cast.globex.wallet).balance == 20


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 129])
def test_without_a_key_that_is_one_nothing_is_done(acmes: Program, cast: Cast, path: str, key: str):
    answer = acmes("POST", path, GRANT, headers={"idempotency-key": key})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"
    assert not CreditLot.objects.exists()


def test_what_was_refused_may_be_tried_again_under_its_key(acmes: Program, cast: Cast, path: str):
    taking = path.replace("grant", "take"), {"amount": "5", "reason": "By mistake"}
    acmes.does("POST", *taking, key="t", status=409)
    assert not KeyedRequest.objects.exists()
    acmes.does("POST", path, GRANT, key="g", status=201)
    assert acmes.does("POST", *taking, key="t")["balance"] == "15"
    assert acmes.does("POST", *taking, key="t")["balance"] == "15"


def test_keys_are_of_whoever_sends_them(acmes: Program, cast: Cast, path: str):
    """Of the organization, whichever of its tokens; of another, the same key is another's."""
    first = acmes.does("POST", path, GRANT, key="k", status=201)
    other = Program(an_api_token(cast.acme)[1])
    assert other.does("POST", path, GRANT, key="k", status=201) == first
    a_wallet(cast.shady)
    theirs = Program(an_api_token(cast.evil_corp)[1])
    told = theirs.does("POST", f"customers/{cast.shady.pk}/wallet/grant", GRANT, key="k", status=201)
    assert told["id"] != first["id"]


def test_it_is_forgotten_after_a_while_and_credit_is_given_once_all_the_same(acmes: Program, cast: Cast, path: str):
    first = acmes.does("POST", path, GRANT, key="k", status=201)
    forget_keyed_requests()
    assert KeyedRequest.objects.count() == 1
    KeyedRequest.objects.update(created_at=timezone.now() - KEPT - timedelta(seconds=1))
    forget_keyed_requests()
    assert not KeyedRequest.objects.exists()
    assert acmes.does("POST", path, GRANT, key="k", status=201) == first
    assert CreditLot.objects.count() == 1


def test_codes_are_not_kept(acmes: Program, cast: Cast):
    made = acmes.does("POST", "vouchers", {"amount": "5", "count": 2}, key="v", status=201)["data"]
    codes = [each["code"] for each in made]
    assert len(set(codes)) == 2
    again = acmes.does("POST", "vouchers", {"amount": "5", "count": 2}, key="v", status=201)["data"]
    assert again == [each | {"code": None} for each in made]
    assert Voucher.objects.count() == 2
    kept = str(KeyedRequest.objects.get().answer)
    assert not any(code in kept for code in codes)


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_are_one(cast: Cast):
    a_wallet(cast.globex)
    ask = Program(an_api_token(cast.acme)[1])
    wanted = {
        f"customers/{cast.globex.pk}/wallet/grant": GRANT,
        "invoices": {"customer": str(cast.globex.pk), "lines": [{"description": "Setup", "amount": "9"}]},
        "plans": {"name": "Pro"},
    }
    for path, body in wanted.items():
        answers = at_once(
            5, lambda path=path, body=body: Program(ask.plain).does("POST", path, body, key=path, status=201)
        )
        assert [answer for answer in answers if answer != answers[0]] == [], answers
    assert CreditLot.objects.count() == Invoice.objects.count() == Plan.objects.count() == 1
    assert_adds_up(cast.globex.wallet)
