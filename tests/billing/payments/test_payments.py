"""Money that comes in: for credit and for invoices, in any currency, with tax, too little, too much, and twice."""

from datetime import date
from decimal import Decimal

import pytest

from apps.billing.errors import NotEnoughCredit, NotPossible
from apps.billing.models import (
    BillingDetails,
    CreditLot,
    ExchangeRate,
    Invoice,
    LedgerAccount,
    LedgerEntry,
    Payment,
    Refund,
    TaxRate,
    Wallet,
)
from apps.billing.parties import details_of, seller_of
from apps.billing.payments.base import Declined, ProviderError
from apps.billing.payments.manual import ManualPayments
from apps.billing.services import refunds as refund_services
from apps.billing.services.bank_transfers import receive_transfer, record_transfer
from apps.billing.services.collecting import start_invoice_payment, start_top_up
from apps.billing.services.credit_notes import credit_invoice
from apps.billing.services.finalizing import finalize_invoice
from apps.billing.services.invoices import LineByHand, add_one_off_invoice, mark_uncollectible
from apps.billing.services.payments import apply_surplus, record_payment, surplus_of
from apps.billing.services.refund_entries import most_refundable
from apps.billing.services.refunds import refund_payment, settle_refund
from apps.customers.models import Customer
from tests.billing.payments.conftest import NOW
from tests.cast import Cast, at_once, reread

D = Decimal


def balances(customer: Customer) -> dict[str, Decimal]:
    """What the accounts of a customer's organization have, those that are not 0."""
    accounts = LedgerAccount.objects.filter(organization=customer.organization).exclude(balance=0)
    return {f"{each.kind} {each.currency}": each.balance.normalize() for each in accounts}


def in_euros(customer: Customer, percent: str = "", *, is_inclusive: bool = False) -> Customer:
    """Billed in euros, at 0.80 a dollar, with German VAT."""
    ExchangeRate.objects.create(
        organization=customer.organization, currency="EUR", per_dollar=D("0.8"), effective_from=date(2026, 1, 1)
    )
    BillingDetails.objects.filter(pk=details_of(customer).pk).update(currency="EUR", country="DE")
    if percent:
        TaxRate.objects.create(
            organization=customer.organization,
            name="VAT",
            country="DE",
            percent=D(percent),
            is_inclusive=is_inclusive,
            effective_from=date(2026, 1, 1),
        )
    return customer


def a_top_up(customer: Customer, credit: str = "50") -> Payment:
    """Announced, to be paid by bank transfer."""
    return start_top_up(customer, D(credit), by=None, at=NOW, provider=ManualPayments())


def an_invoice(customer: Customer, amount: str = "100", key: str = "1") -> Invoice:
    draft = add_one_off_invoice(customer, [LineByHand("Set-up", D(amount))], key=key, by=None, at=NOW)
    invoice = finalize_invoice(draft, by=None, at=NOW)
    assert invoice is not None
    return invoice


def a_transfer(customer: Customer, amount: str, reference: str = "bank-1", **fields) -> Payment:
    wanted = {"currency": "USD", "by": None, "at": NOW} | fields
    return record_transfer(customer, amount=D(amount), reference=reference, **wanted)[0]


def test_a_top_up_waits_for_its_transfer_and_gives_the_credit_once(cast: Cast):
    payment = a_top_up(cast.globex)
    assert (payment.state, payment.provider, payment.amount) == ("pending", "manual", 50)
    assert payment.provider_id.startswith("TG-")
    assert not Wallet.objects.exists()
    assert receive_transfer(payment, amount=D(50), by=cast.olivia, at=NOW)
    assert not receive_transfer(payment, amount=D(50), by=cast.olivia, at=NOW)
    payment = reread(payment)
    assert (payment.state, payment.paid_at) == ("succeeded", NOW)
    wallet = Wallet.objects.get()
    assert (wallet.balance, wallet.settlement) == (50, "credit_first")
    invoice = payment.invoice
    assert (invoice.kind, invoice.state, invoice.number, invoice.total, invoice.paid) == (
        "top_up", "paid", "INV-0001", 50, 50,
    )  # fmt: skip
    assert balances(cast.globex) == {"cash USD": D(-50), "credit USD": D(50)}


TAXED = [
    pytest.param(False, "47.60", "7.60", {"cash EUR": "-47.6", "tax EUR": "7.6", "credit USD": "50"}, id="on-top"),
    pytest.param(
        True, "40.00", "6.39", {"cash EUR": "-40", "tax EUR": "6.39", "credit USD": "50", "revenue EUR": "-6.39"},
        id="contained",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("is_inclusive", "total", "tax", "expected"), TAXED)
def test_credit_is_sold_in_the_customers_currency_with_its_tax(cast: Cast, is_inclusive, total, tax, expected):
    in_euros(cast.globex, "19", is_inclusive=is_inclusive)
    payment = a_top_up(cast.globex)
    assert (payment.amount, payment.tax, payment.credit, payment.currency) == (D(total), D(tax), 50, "EUR")
    receive_transfer(payment, amount=payment.amount, by=None, at=NOW)
    invoice = reread(payment).invoice
    assert (invoice.currency, invoice.total, invoice.tax, invoice.per_dollar) == ("EUR", D(total), D(tax), D("0.8"))
    (line,) = invoice.lines.all()
    assert (line.kind, line.amount) == ("top_up", D(total) if is_inclusive else D(total) - D(tax))
    (rate,) = invoice.taxes.all()
    assert (rate.name, rate.percent, rate.amount, rate.is_inclusive) == ("VAT", 19, D(tax), is_inclusive)
    assert balances(cast.globex) == {name: D(amount) for name, amount in expected.items()} | {
        "exchange EUR": D(40), "exchange USD": D(-50),
    }  # fmt: skip


def test_credit_that_is_taxed_when_it_is_used_is_sold_without_tax(cast: Cast):
    in_euros(cast.globex, "19")
    seller = seller_of(cast.acme)
    seller.taxed_when = "consumption"
    seller.save()
    payment = a_top_up(cast.globex)
    assert (payment.amount, payment.tax) == (40, 0)


def test_less_money_buys_less_credit_and_less_tax(cast: Cast):
    in_euros(cast.globex, "19")
    payment = a_top_up(cast.globex)
    receive_transfer(payment, amount=D("23.80"), by=None, at=NOW)
    payment = reread(payment)
    assert (payment.amount, payment.tax, payment.credit) == (D("23.80"), D("3.80"), 25)
    assert (payment.invoice.total, payment.invoice.tax) == (D("23.80"), D("3.80"))
    assert balances(cast.globex) == {
        "cash EUR": D("-23.8"), "tax EUR": D("3.8"), "credit USD": D(25), "exchange EUR": D(20), "exchange USD": D(-25),
    }  # fmt: skip


def test_credit_in_yen_has_no_parts(cast: Cast):
    ExchangeRate.objects.create(
        organization=cast.acme, currency="JPY", per_dollar=D("151.337"), effective_from=date(2026, 1, 1)
    )
    BillingDetails.objects.filter(pk=details_of(cast.globex).pk).update(currency="JPY")
    payment = a_top_up(cast.globex, "10")
    assert (payment.amount, payment.currency) == (1513, "JPY")
    receive_transfer(payment, amount=D(1513), by=None, at=NOW)
    assert Wallet.objects.get().balance == 10
    with pytest.raises(NotPossible, match="whole minor units"):
        receive_transfer(a_top_up(cast.globex, "10"), amount=D("1513.5"), by=None, at=NOW)


def test_what_a_coupon_pays_wholly_gives_its_credit_without_money(cast: Cast):
    payment = a_top_up(cast.globex)
    Payment.objects.filter(pk=payment.pk).update(amount=0)
    assert record_payment(reread(payment), at=NOW)
    assert Wallet.objects.get().balance == 50
    assert balances(cast.globex) == {"promotion USD": D(-50), "credit USD": D(50)}
    assert reread(payment).invoice is None


def test_an_invoice_is_paid_by_a_transfer_in_parts(cast: Cast):
    invoice = an_invoice(cast.globex)
    first = a_transfer(cast.globex, "60", invoice=invoice)
    assert (reread(invoice).state, reread(invoice).paid, reread(invoice).due) == ("open", 60, 40)
    a_transfer(cast.globex, "40", "bank-2", invoice=invoice)
    assert (reread(invoice).state, reread(invoice).paid) == ("paid", 100)
    assert surplus_of(first) == 0
    assert balances(cast.globex) == {"cash USD": D(-100), "revenue USD": D(100)}
    states = list(invoice.transitions.values_list("before", "after"))
    assert states[-1] == ("open", "paid")


def test_a_transfer_is_put_down_once_and_its_reference_is_nobody_elses(cast: Cast):
    invoice = an_invoice(cast.globex)
    first = a_transfer(cast.globex, "60", invoice=invoice)
    assert a_transfer(cast.globex, "60", invoice=invoice).pk == first.pk
    assert reread(invoice).paid == 60
    with pytest.raises(NotPossible, match="of another payment"):
        a_transfer(cast.globex, "61", invoice=invoice)
    with pytest.raises(NotPossible, match="of another payment"):
        a_transfer(cast.initech, "60")
    assert Payment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_transfer_five_times_at_once_is_one(cast: Cast):
    invoice = an_invoice(cast.globex)
    payments = at_once(5, lambda: a_transfer(reread(cast.globex), "60", invoice=reread(invoice)))
    assert len({payment.pk for payment in payments}) == 1
    assert reread(invoice).paid == 60


def test_what_is_more_than_due_pays_the_oldest_other_invoice_and_the_rest_stays_the_customers(cast: Cast):
    first, second = an_invoice(cast.globex, "100", "1"), an_invoice(cast.globex, "30", "2")
    payment = a_transfer(cast.globex, "150", invoice=second)
    assert [(reread(each).state, reread(each).paid) for each in (first, second)] == [("paid", 100), ("paid", 30)]
    assert surplus_of(payment) == 20
    assert balances(cast.globex) == {"cash USD": D(-150), "revenue USD": D(130), "receivable USD": D(20)}
    third = an_invoice(cast.globex, "50", "3")
    assert apply_surplus(payment, by=None, at=NOW) == 20
    assert apply_surplus(payment, by=None, at=NOW) == 0
    assert (reread(third).state, reread(third).due) == ("open", 30)


def test_money_in_another_currency_pays_no_invoice(cast: Cast):
    invoice = an_invoice(cast.globex)
    payment = a_transfer(cast.globex, "100", currency="EUR")
    assert (reread(invoice).paid, surplus_of(payment)) == (0, 100)


def test_what_was_written_off_is_paid_after_all(cast: Cast):
    invoice = mark_uncollectible(an_invoice(cast.globex), reason="Gone", by=None, at=NOW)
    a_transfer(cast.globex, "100", invoice=invoice)
    assert (reread(invoice).state, reread(invoice).paid) == ("paid", 100)
    assert balances(cast.globex) == {"cash USD": D(-100), "revenue USD": D(100)}


def test_an_invoice_with_nothing_due_is_not_paid(cast: Cast):
    invoice = an_invoice(cast.globex)
    a_transfer(cast.globex, "100", invoice=invoice)
    with pytest.raises(NotPossible, match="nothing to pay"):
        start_invoice_payment(reread(invoice), by=None, at=NOW)
    assert Payment.objects.count() == 1


def a_paid_top_up(customer: Customer, credit: str = "50") -> Payment:
    payment = a_top_up(customer, credit)
    receive_transfer(payment, amount=payment.amount, by=None, at=NOW)
    return Payment.objects.select_related("customer", "organization").get(pk=payment.pk)


def refund(payment: Payment, amount: str) -> Refund:
    return refund_payment(reread(payment), D(amount), reason="Asked for", by=None, at=NOW)


def test_a_refund_takes_its_credit_with_it_and_writes_a_credit_note(cast: Cast):
    in_euros(cast.globex, "19")
    payment = a_paid_top_up(cast.globex)  # 47.60 EUR for 50 USD
    made = refund(payment, "23.80")
    assert (made.state, made.credit, made.net, made.tax) == ("succeeded", 25, 20, D("3.80"))
    assert (made.credit_note.number, made.credit_note.total, made.credit_note.tax) == ("CN-0001", D("23.80"), D("3.80"))
    assert Wallet.objects.get().balance == 25
    refund(payment, "23.80")
    assert Wallet.objects.get().balance == 0
    assert balances(cast.globex) == {}
    assert reread(payment).refunded == D("47.60")
    with pytest.raises(NotPossible, match="At most 0 EUR"):
        refund(payment, "0.01")


ODD = ["0.01", "0.02", "0.07", "1.11", "9.99", "33.33", "47.59"]


@pytest.mark.parametrize("amount", ODD)
def test_whatever_part_goes_back_first_all_of_it_comes_to_nothing(cast: Cast, amount: str):
    in_euros(cast.globex, "19")
    payment = a_paid_top_up(cast.globex)
    refund(payment, amount)
    refund(payment, str(D("47.60") - D(amount)))
    left = {name: value for name, value in balances(cast.globex).items() if not name.startswith("written_off")}
    lost = {name: value for name, value in balances(cast.globex).items() if name.startswith("written_off")}
    assert Wallet.objects.get().balance == 0
    # What cannot be split into whole cents of net and tax is a cent, in the open.
    assert all(value >= D("-0.01") for value in lost.values())
    assert sum(left.values()) == -sum(lost.values())
    invoice = reread(payment).invoice
    assert sum(note.total for note in invoice.credit_notes.all()) <= invoice.total


def test_credit_that_was_used_is_not_paid_back(cast: Cast):
    payment = a_paid_top_up(cast.globex)
    CreditLot.objects.update(remaining=D("20.005"))
    before = balances(cast.globex)
    assert most_refundable(reread(payment)) == 20
    with pytest.raises(NotEnoughCredit, match="too much is used"):
        refund(payment, "20.01")
    assert (balances(cast.globex), Refund.objects.count(), reread(payment).refunded) == (before, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_five_refunds_at_once_never_pay_back_more_than_was_paid(cast: Cast):
    payment = a_paid_top_up(cast.globex)
    made = at_once(5, lambda: refund(payment, "20"))
    assert sorted(type(each).__name__ for each in made) == ["NotPossible"] * 3 + ["Refund"] * 2
    assert reread(payment).refunded == 40
    assert Wallet.objects.get().balance == 10


class Moody(ManualPayments):
    """Says what it is told to say."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)

    def refund(self, *args):
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer
        return super().refund(*args)


def test_a_refund_that_is_refused_gives_everything_back(cast: Cast, monkeypatch):
    payment = a_paid_top_up(cast.globex)
    before = balances(cast.globex)
    monkeypatch.setattr(refund_services, "provider_of", lambda *_: Moody(Declined("Card expired.")))
    made = refund(payment, "20")
    assert (made.state, made.error) == ("failed", "Card expired.")
    assert (balances(cast.globex), reread(payment).refunded) == (before, 0)
    assert Wallet.objects.get().balance == 50
    assert most_refundable(reread(payment)) == 30  # of this lot; the rest came back as one of its own


def test_a_refund_that_nobody_answered_waits_and_is_asked_for_again(cast: Cast, monkeypatch):
    payment = a_paid_top_up(cast.globex)
    moody = Moody(ProviderError("away"), None)
    monkeypatch.setattr(refund_services, "provider_of", lambda *_: moody)
    made = refund(payment, "20")
    assert (made.state, made.error) == ("pending", "away")
    assert Wallet.objects.get().balance == 30  # it can't be used meanwhile
    assert settle_refund(made, at=NOW).state == "succeeded"
    assert settle_refund(reread(made), at=NOW).state == "succeeded"
    assert balances(cast.globex) == {"cash USD": D(-30), "credit USD": D(30)}


def test_an_invoice_whose_payment_goes_back_is_owed_again(cast: Cast):
    invoice = an_invoice(cast.globex)
    payment = a_transfer(cast.globex, "100", invoice=invoice)
    refund(payment, "30")
    assert (reread(invoice).state, reread(invoice).paid, reread(invoice).due) == ("open", 70, 30)
    assert balances(cast.globex) == {"cash USD": D(-70), "revenue USD": D(100), "receivable USD": D(-30)}


def test_with_a_credit_note_it_is_not(cast: Cast):
    invoice = an_invoice(cast.globex)
    payment = a_transfer(cast.globex, "100", invoice=invoice)
    (line,) = invoice.lines.all()
    amounts = {line.pk: D(30)}
    note = credit_invoice(
        reread(invoice), amounts=amounts, settlement="refund", reason="Late", key="1", by=None, at=NOW
    )
    made = refund(payment, "30")
    assert made.credit_note == note
    assert (reread(invoice).state, reread(invoice).due) == ("paid", 0)
    assert balances(cast.globex) == {"cash USD": D(-70), "revenue USD": D(70)}
    assert surplus_of(reread(payment)) == 0


def test_what_is_over_goes_back_before_anything_is_owed_again(cast: Cast):
    invoice = an_invoice(cast.globex)
    payment = a_transfer(cast.globex, "120", invoice=invoice)
    refund(payment, "20")
    assert (reread(invoice).state, surplus_of(reread(payment))) == ("paid", 0)
    assert balances(cast.globex) == {"cash USD": D(-100), "revenue USD": D(100)}


def test_every_transaction_names_its_payment(cast: Cast):
    payment = a_paid_top_up(cast.globex)
    refund(payment, "10")
    sources = LedgerEntry.objects.values_list("transaction__kind", "transaction__source__payment").distinct()
    assert set(sources) == {
        ("top_up", str(payment.pk)),
        ("refund", str(payment.pk)),
        ("invoice", None),
        ("credit_note", None),
    }
