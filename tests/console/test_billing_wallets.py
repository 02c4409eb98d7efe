"""The operator's pages of wallets and vouchers."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Role
from apps.billing.models import CreditLot, Payment, Voucher, Wallet
from apps.billing.services.drawing import draw_usage
from apps.billing.services.lots import grant_credit
from apps.billing.services.vouchers import redeem_voucher
from apps.billing.services.wallets import open_wallet
from tests.billing.wallets import usage
from tests.cast import Cast, a_member, reread
from tests.pages import rows_of, text_of

LIST = "/console/billing/wallets/"


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


@pytest.fixture
def wallet(cast: Cast) -> Wallet:
    return open_wallet(cast.globex, by=None, at=timezone.now())


def midnight(days_ago: int = 0):
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)


def give(wallet: Wallet, amount: str = "100", **fields) -> CreditLot:
    return grant_credit(wallet, Decimal(amount), key=amount, by=None, at=timezone.now(), **fields)[0]


def url(wallet: Wallet, what: str = "") -> str:
    return f"{LIST}{wallet.customer_id}/{what}"


def key_in(answer) -> str:
    return answer.context["form"]["key"].initial or answer.context["form"].fields["key"].initial


def test_without_wallets_the_page_says_how_to_get_one(olivia: Client):
    told = text_of(olivia.get(LIST))
    assert "No wallets yet" in told


def test_a_wallet_is_opened_on_the_page_of_a_customer_without(olivia: Client, cast: Cast):
    assert "has no wallet" in text_of(olivia.get(f"{LIST}{cast.globex.pk}/"))
    olivia.post(f"{LIST}{cast.globex.pk}/open/", {"settlement": "credit_first"})
    assert Wallet.objects.get(customer=cast.globex).settlement == "credit_first"
    assert "Give credit" in text_of(olivia.get(f"{LIST}{cast.globex.pk}/"))


def test_the_list_has_balance_rate_and_what_is_left_for_how_long(olivia: Client, wallet: Wallet):
    Wallet.objects.filter(pk=wallet.pk).update(draws_from=midnight(5))
    give(wallet, "100")
    for days_ago in (1, 2):
        usage(wallet, "5", day=midnight(days_ago))
    draw_usage(wallet.pk, at=timezone.now())
    answer = olivia.get(LIST)
    assert rows_of(answer)[1] == "Globex Prepaid $90.00 $5.00 18 days $0.00"
    assert "Credit outstanding $90.00" in text_of(answer)
    assert "No wallet of a customer of that name" in text_of(olivia.get(LIST, {"q": "initech"}))
    assert "Globex" in text_of(olivia.get(LIST, {"q": "glo"}))


def test_a_wallet_shows_lots_and_a_line_for_each_days_usage(olivia: Client, cast: Cast, wallet: Wallet):
    Wallet.objects.filter(pk=wallet.pk).update(draws_from=midnight(5))
    give(wallet, "100", note="Welcome")
    for price in ("5", "2.5"):
        usage(wallet, price, day=midnight(1))
        draw_usage(wallet.pk, at=timezone.now())
    answer = olivia.get(url(wallet))
    day = midnight(1)
    assert f"{day:%-d %b %Y} Usage -$7.50" in rows_of(answer)
    assert any("Credit given Welcome +$100.00" in row for row in rows_of(answer))
    assert any("Given by hand Welcome" in row and "$92.50 $100.00 50" in row for row in rows_of(answer))
    since = f"{day:%Y-%m-%d}T00%3A00"
    assert f"since={since}" in answer.content.decode()
    assert f"customer={cast.globex.pk}" in answer.content.decode()
    entries = rows_of(olivia.get(url(wallet, "entries/")))
    assert [row.rsplit(" ", 2)[1:] for row in entries[1:]] == [["-2.5", "92.5"], ["-5", "95"], ["100", "100"]]


def test_credit_is_given_once_however_often_the_form_is_sent(olivia: Client, wallet: Wallet):
    shown = olivia.get(url(wallet, "grant/"))
    typed = {"key": key_in(shown), "amount": "12.50", "note": "Sorry", "priority": "10", "last_day": ""}
    for _ in range(2):
        assert olivia.post(url(wallet, "grant/"), typed).status_code == 302
    lot = wallet.lots.get()
    assert (lot.amount, lot.note, lot.priority, lot.expires_at) == (Decimal("12.5"), "Sorry", 10, None)


def test_the_last_day_is_a_whole_day(olivia: Client, wallet: Wallet):
    last = timezone.now().date() + timedelta(days=3)
    typed = {"key": "k", "amount": "1", "note": "x", "priority": "50", "last_day": last.isoformat()}
    olivia.post(url(wallet, "grant/"), typed)
    assert wallet.lots.get().expires_at.date() == last + timedelta(days=1)
    typed |= {"key": "l", "last_day": "2020-01-01"}
    assert "This day is over" in text_of(olivia.post(url(wallet, "grant/"), typed))


def test_credit_is_taken_and_no_more_than_there_is(olivia: Client, wallet: Wallet):
    give(wallet, "10")
    typed = {"key": "a", "amount": "4", "reason": "Mistake"}
    assert olivia.post(url(wallet, "take/"), typed).status_code == 302
    assert reread(wallet).balance == 6
    assert "only $6.00" in text_of(olivia.post(url(wallet, "take/"), typed | {"key": "b", "amount": "7"}))
    assert reread(wallet).balance == 6


def test_a_payment_is_credited_once_for_its_reference(olivia: Client, wallet: Wallet):
    typed = {"amount": "50", "reference": "RF18"}
    for _ in range(2):
        assert olivia.post(url(wallet, "top-up/"), typed).status_code == 302
    assert Payment.objects.get().provider_id == "RF18"
    assert reread(wallet).balance == 50
    answer = olivia.post(url(wallet, "top-up/"), typed | {"amount": "60"})
    assert "of another payment already" in text_of(answer)


def test_settings_are_changed(olivia: Client, wallet: Wallet):
    typed = {"settlement": "prepaid", "low_balance": "20", "credit_line": "5"}
    assert olivia.post(url(wallet, "edit/"), typed).status_code == 302
    after = reread(wallet)
    assert (after.low_balance, after.credit_line, after.ceiling) == (20, 5, 5)
    typed |= {"settlement": "credit_first", "low_balance": "", "credit_line": "0"}
    olivia.post(url(wallet, "edit/"), typed)
    assert (reread(wallet).prepaid_since, reread(wallet).low_balance) == (None, None)


def test_vouchers_are_shown_once_and_withdrawn(olivia: Client, cast: Cast):
    typed = {"key": "k", "amount": "20", "count": "2", "most_uses": "3", "note": "Fair"}
    answer = olivia.post("/console/billing/vouchers/", typed)
    codes = answer.context["codes"]
    assert len(codes) == 2
    assert all(code in text_of(answer) for code in codes)
    assert olivia.post("/console/billing/vouchers/", typed).status_code == 302  # a double click makes no more
    assert Voucher.objects.count() == 2
    shown = text_of(olivia.get("/console/billing/vouchers/"))
    assert not any(code in shown for code in codes)
    redeem_voucher(cast.globex, codes[0], by=None, at=timezone.now())
    voucher = Voucher.objects.get(hint=codes[0][-4:])
    row = next(row for row in rows_of(olivia.get("/console/billing/vouchers/")) if voucher.hint in row)
    assert row == f"…{voucher.hint} Fair $20.00 1 / 3 for ever Open Withdraw"
    olivia.post(f"/console/billing/vouchers/{voucher.pk}/revoke/")
    assert reread(voucher).revoked_at is not None


CHANGES = ["edit/", "grant/", "take/", "top-up/", "open/"]


@pytest.mark.parametrize("what", CHANGES)
def test_who_only_looks_changes_nothing(client: Client, cast: Cast, wallet: Wallet, what: str):
    client.force_login(a_member(cast.acme, Role.VIEWER).user)
    assert client.post(url(wallet, what)).status_code == 403
    shown = client.get(url(wallet))
    assert shown.status_code == 200
    assert "Give credit" not in text_of(shown)
