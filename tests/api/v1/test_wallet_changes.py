"""Wallets by API: opened, set, given to, taken from, paid into; vouchers; credit that buys itself."""

from decimal import Decimal

import pytest

from apps.api import throttling
from apps.billing.models import AutoTopUp, CreditLot, Payment, Wallet
from apps.billing.services.vouchers import make_vouchers
from tests.api.v1.conftest import NOW, Program
from tests.billing.wallets import a_lot, a_wallet, assert_adds_up
from tests.cast import Cast, reread

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def path(cast: Cast) -> str:
    return f"customers/{cast.globex.pk}/wallet"


def test_a_wallet_is_opened_once_and_set(acmes: Program, globexs: Program, cast: Cast, path: str):
    told = acmes.does("POST", path, {"settlement": "credit_first", "low_balance": "10"})
    assert (told["settlement"], told["balance"], told["low_balance"], told["credit_line"]) == (
        "credit_first", "0", "10", "0"
    )  # fmt: skip
    assert acmes.does("POST", path, {"settlement": "prepaid"})["settlement"] == "credit_first"  # it was there
    assert acmes.does("PATCH", path, {"settlement": "prepaid", "credit_line": "5"})["credit_line"] == "5"
    assert cast.acme.audit_events.get(action="wallet.update").actor_label.startswith("API token")
    told = globexs.does("PATCH", path, {"low_balance": "2.5"})
    assert told["low_balance"] == "2.5"
    assert "credit_line" not in told
    assert "credit_line" not in globexs.get(path)
    a_wallet(cast.initech)
    a_wallet(cast.shady)
    assert {each["customer"] for each in acmes.everything("wallets", limit=1)} == {
        str(cast.globex.pk), str(cast.initech.pk)
    }  # fmt: skip
    assert [each["customer"] for each in globexs.everything("wallets")] == [str(cast.globex.pk)]
    assert globexs.does("PATCH", path, {"low_balance": None})["low_balance"] is None
    for theirs in ({"settlement": "credit_first"}, {"credit_line": "1000"}):
        globexs.does("PATCH", path, theirs, status=403)
    wallet = reread(cast.globex.wallet)
    assert (wallet.settlement, wallet.credit_line) == ("prepaid", 5)
    acmes.does("PATCH", path, {"credit_line": "-1"}, status=400)
    acmes.does("PATCH", path, {"balance": "100"}, status=400)


def test_credit_is_given_with_an_expiry_and_a_priority(acmes: Program, globexs: Program, cast: Cast, path: str):
    a_wallet(cast.globex)
    grant = {"amount": "20.5", "note": "Welcome", "expires_at": "2026-04-01T00:00:00+02:00", "priority": 10}
    told = acmes.does("POST", f"{path}/grant", grant, key="1", status=201)
    assert told == {
        "id": str(CreditLot.objects.get().pk), "source": "grant", "category": "promotional", "priority": 10,
        "amount": "20.5", "remaining": "20.5", "effective_at": "2026-03-10T12:00:00Z",
        "expires_at": "2026-03-31T22:00:00Z", "note": "Welcome", "created_at": "2026-03-10T12:00:00Z",
    }  # fmt: skip
    assert globexs.get(path)["balance"] == "20.5"
    assert_adds_up(cast.globex.wallet)
    past = acmes.does("POST", f"{path}/grant", grant | {"expires_at": "2026-03-10T12:00:00Z"}, key="2", status=400)
    assert past["errors"][0]["pointer"] == "#/expires_at"
    for wrong in ({"amount": "0"}, {"amount": 20}, {"amount": "1000000001"}, {"priority": 101}, {"note": ""}):
        acmes.does("POST", f"{path}/grant", grant | wrong, key="3", status=400)
    assert CreditLot.objects.count() == 1


def test_credit_is_taken_as_far_as_there_is_some(acmes: Program, cast: Cast, path: str):
    a_lot(a_wallet(cast.globex), "20", at=NOW)
    told = acmes.does("POST", f"{path}/take", {"amount": "5.25", "reason": "By mistake"}, key="1")
    assert told["balance"] == "14.75"
    short = acmes.does("POST", f"{path}/take", {"amount": "15", "reason": "All"}, key="2", status=409)
    assert short["detail"] == "There are only $14.75 of unused credit to take."
    assert reread(cast.globex.wallet).balance == Decimal("14.75")
    assert_adds_up(cast.globex.wallet)


def test_money_that_came_in_is_credited_once_a_reference(acmes: Program, cast: Cast, path: str):
    body = {"amount": "50.004", "reference": "RF18 5390"}
    told = acmes.does("POST", f"{path}/top-up", body, status=201)
    assert (told["source"], told["category"], told["amount"]) == ("top_up", "paid", "50")
    assert acmes.does("POST", f"{path}/top-up", body, status=201) == told
    clash = acmes.does("POST", f"{path}/top-up", body | {"amount": "60"}, status=409)
    assert clash["detail"] == "The reference “RF18 5390” is of another payment already."
    acmes.does("POST", f"customers/{cast.initech.pk}/wallet/top-up", body, status=409)
    assert [payment.state for payment in Payment.objects.all()] == ["succeeded"]
    assert reread(cast.globex.wallet).balance == 50
    assert cast.globex.invoices.get().kind == "top_up"  # its receipt


def test_vouchers_are_made_listed_redeemed_and_revoked(acmes: Program, globexs: Program, cast: Cast, path: str):
    body = {"amount": "5", "count": 2, "most_uses": 1, "credit_days": 30, "note": "Fair"}
    one, other = acmes.does("POST", "vouchers", body, key="1", status=201)["data"]
    lot = globexs.does("POST", f"{path}/redeem", {"code": one["code"].lower()}, status=201)
    assert (lot["source"], lot["amount"], lot["expires_at"]) == ("voucher", "5", "2026-04-09T12:00:00Z")
    assert globexs.does("POST", f"{path}/redeem", {"code": one["code"]}, status=201) == lot
    assert globexs.get(path)["settlement"] == "credit_first"
    revoked = acmes.does("POST", f"vouchers/{other['id']}/revoke")
    assert revoked["revoked_at"] == "2026-03-10T12:00:00Z"
    told = globexs.does("POST", f"{path}/redeem", {"code": other["code"]}, status=409)
    assert told["detail"] == "This code was withdrawn."
    listed = acmes.everything("vouchers", limit=1)
    assert {each["id"]: each["uses"] for each in listed} == {one["id"]: 1, other["id"]: 0}
    assert not any("code" in each for each in listed)
    globexs.does("GET", "vouchers", status=403)


def test_a_voucher_of_somebody_else_is_none(globexs: Program, cast: Cast, path: str):
    [(_voucher, code)] = make_vouchers(cast.evil_corp, Decimal(5), by=None, at=NOW)
    told = globexs.does("POST", f"{path}/redeem", {"code": code}, status=409)
    assert told["detail"].startswith("This code can’t be used.")
    assert not Wallet.objects.exists()


def test_who_tries_many_codes_is_stopped(globexs: Program, acmes: Program, path: str, monkeypatch):
    monkeypatch.setattr(throttling, "CODES_AN_HOUR", 2)
    for _ in range(2):
        globexs.does("POST", f"{path}/redeem", {"code": "7K2MQ"}, status=409)
    answer = globexs("POST", f"{path}/redeem", {"code": "7K2MQ"})
    assert (answer.status_code, int(answer.headers["Retry-After"])) == (429, 3600)
    acmes.does("POST", f"{path}/redeem", {"code": "7K2MQ"}, status=409)  # another token is let try


def test_credit_that_buys_itself(acmes: Program, globexs: Program, cast: Cast, path: str):
    globexs.does("PUT", f"{path}/auto-top-up", {"threshold": "10", "amount": "50"}, status=404)
    a_wallet(cast.globex)
    globexs.does("GET", f"{path}/auto-top-up", status=404)
    body = {"threshold": "10", "amount": "50", "monthly_limit": "500"}
    told = globexs.does("PUT", f"{path}/auto-top-up", body)
    assert told == body | {"is_on": True, "backs_off_until": None, "last_error": ""}
    assert acmes.get(f"{path}/auto-top-up") == told
    off = globexs.does("PUT", f"{path}/auto-top-up", {"is_on": False, "threshold": "0", "amount": "1"})
    assert (off["is_on"], off["monthly_limit"]) == (False, None)
    globexs.does("PUT", f"{path}/auto-top-up", body | {"amount": "0.5"}, status=400)
    assert AutoTopUp.objects.get().amount == 1
