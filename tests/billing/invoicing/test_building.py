"""Drafts from roll-ups: what is on them, to the last cent, and that there is one for a period."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from apps.billing.models import BillingDetails, ExchangeRate, Invoice, InvoicedDay
from apps.billing.parties import details_of
from apps.billing.services.drawing import draw_usage
from tests.billing.made import (
    AFTER,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    a_price,
    a_subscription,
    a_tax,
    a_wallet,
    invoices,
    lines,
    run,
    the_invoice,
    used,
)
from tests.cast import a_customer, an_organization


@pytest.fixture
def customer(db):
    a_price()
    return a_customer(an_organization())


def test_usage_is_a_line_for_each_kind_of_token(customer):
    used(customer, price="3.50")  # 1000 tokens in, 500 out at five times the price
    done = run(customer)
    invoice = the_invoice(customer)
    assert (done.made, done.empty, done.totals) == (1, 0, {"USD": Decimal("3.50")})
    assert lines(invoice) == [
        ("usage", "gpt-4o-mini · input", "1.00"),
        ("usage", "gpt-4o-mini · output", "2.50"),
    ]
    first = invoice.lines.first()
    assert (first.quantity, first.unit, first.unit_price) == (Decimal("0.001"), "1M tokens", Decimal(1000))
    assert (invoice.state, invoice.number, invoice.total) == ("draft", "", Decimal("3.50"))
    assert (invoice.period_start, invoice.period_end) == (OCTOBER, NOVEMBER)


def test_models_whose_price_nobody_knows_are_one_line(customer):
    used(customer, price="2", model="mystery", requests=4)
    run(customer)
    line = the_invoice(customer).lines.get()
    assert (line.description, line.quantity, line.unit, line.unit_price) == ("mystery", 4, "request", Decimal("0.5"))


def test_a_model_is_named_as_it_is_sold(customer):
    used(customer, price="2", sold_as="our-best")
    run(customer)
    assert {line.model for line in the_invoice(customer).lines.all()} == {"our-best"}


def test_usage_of_other_months_is_not_on_it(customer):
    used(customer, day=30, month=9, price="100")
    used(customer, day=31, price="7", model="mystery")
    used(customer, day=1, month=11, price="100")
    run(customer, month=date(2026, 10, 1))
    assert the_invoice(customer).total == 7


def test_many_small_amounts_lose_nothing(customer):
    for number in range(6):
        used(customer, price="0.004", model=f"model-{number}")
    run(customer)
    invoice = the_invoice(customer)
    assert (invoice.precise_subtotal, invoice.total) == (Decimal("0.024"), Decimal("0.02"))
    assert sum(line.amount for line in invoice.lines.all()) == Decimal("0.02")


def test_who_used_nothing_has_no_invoice(customer):
    done = run(customer)
    assert (done.made, done.empty, invoices(customer)) == (0, 1, [])


def test_refused_requests_alone_are_nothing(customer):
    used(customer, price="0", requests=3, refused=3, input_tokens=0, output_tokens=0)
    assert run(customer).empty == 1
    assert not InvoicedDay.objects.exists()


def test_a_second_run_changes_nothing(customer):
    used(customer)
    run(customer)
    before = Invoice.objects.values().get() | {"built_at": None}
    done = run(customer)
    assert (done.made, done.built_again) == (0, 1)
    assert Invoice.objects.values().get() | {"built_at": None} == before


def test_late_usage_comes_onto_the_draft(customer):
    used(customer, price="3")
    run(customer)
    used(customer, day=20, price="4")
    run(customer)
    assert the_invoice(customer).total == 7


def test_a_draft_that_has_nothing_any_more_goes(customer):
    used(customer)
    run(customer)
    from apps.usage.models import DailyTotal

    DailyTotal.objects.all().delete()
    run(customer)
    assert invoices(customer) == []


def test_dry_run_tells_and_changes_nothing(customer):
    used(customer)
    done = run(customer, is_dry_run=True)
    assert (done.made, done.totals, invoices(customer)) == (1, {"USD": Decimal(3)}, [])


def test_periods_that_are_not_over_have_no_invoice(customer):
    used(customer)
    run(customer, at=datetime(2026, 10, 31, 23, 59, tzinfo=UTC))
    assert invoices(customer) == []


def test_month_is_that_of_the_organizations_zone(db):
    customer = a_customer(an_organization(time_zone="America/Bogota"))
    used(customer, day=31)
    run(customer, at=datetime(2026, 11, 1, 4, 59, tzinfo=UTC))
    assert invoices(customer) == []
    run(customer, at=datetime(2026, 11, 1, 5, tzinfo=UTC))
    assert the_invoice(customer).period_start == datetime(2026, 10, 1, 5, tzinfo=UTC)


def test_tax_is_added(customer):
    a_tax(customer, "20")
    used(customer, price="3.50")
    run(customer)
    invoice = the_invoice(customer)
    assert (invoice.subtotal, invoice.tax, invoice.total) == (Decimal("3.5"), Decimal("0.7"), Decimal("4.2"))
    [tax] = invoice.taxes.all()
    assert (tax.name, tax.percent, tax.base, tax.amount) == ("VAT", 20, Decimal("3.5"), Decimal("0.7"))


def test_tax_that_prices_contain_is_told(customer):
    a_tax(customer, "20", is_inclusive=True)
    used(customer, price="12")
    run(customer)
    invoice = the_invoice(customer)
    assert (invoice.subtotal, invoice.tax, invoice.total) == (12, 2, 12)


@pytest.mark.parametrize("status", ["reverse_charge", "exempt"])
def test_no_tax_is_charged(customer, status):
    a_tax(customer, "20")
    BillingDetails.objects.update(tax_status=status)
    used(customer, price="12")
    run(customer)
    assert (the_invoice(customer).tax, the_invoice(customer).taxes.count()) == (0, 0)


def test_other_currencies_go_by_the_rate_of_the_periods_last_day(customer):
    for day, rate in ((1, "0.5"), (31, "0.92")):
        ExchangeRate.objects.create(
            organization=customer.organization, currency="EUR", per_dollar=rate, effective_from=date(2026, 10, day)
        )
    details = details_of(customer)
    details.currency = "EUR"
    details.save()
    used(customer, price="10", model="mystery")
    run(customer)
    invoice = the_invoice(customer)
    assert (invoice.currency, invoice.per_dollar, invoice.total) == ("EUR", Decimal("0.92"), Decimal("9.2"))


def test_what_one_customer_lacks_holds_up_nobody(customer):
    other = a_customer(customer.organization, "Other")
    details = details_of(other)
    details.currency = "EUR"
    details.save()
    used(customer)
    used(other)
    done = run(customer)
    assert (done.made, [each["customer"] for each in done.refused]) == (1, ["other"])
    assert "exchange rate of EUR" in done.refused[0]["reason"]
    assert invoices(other) == []
    assert not InvoicedDay.objects.filter(customer=other).exists()


def test_prepaid_usage_is_paid_from_credit(customer):
    a_wallet(customer, "2")
    used(customer, price="3.50")
    run(customer)
    invoice = the_invoice(customer)
    assert lines(invoice)[-1] == ("credit", "Paid from credit", "-3.50")
    assert (invoice.subtotal, invoice.total) == (0, 0)


def test_credit_first_leaves_the_rest_to_the_invoice(customer):
    a_wallet(customer, "2", "credit_first")
    used(customer, price="3.50")
    run(customer)
    assert the_invoice(customer).total == Decimal("1.50")


def test_tax_is_on_the_usage_where_credit_was_bought_without(customer):
    from apps.billing.parties import seller_of

    seller = seller_of(customer.organization)
    seller.taxed_when = "consumption"
    seller.save()
    a_tax(customer, "20")
    a_wallet(customer, "10")
    used(customer, price="5")
    run(customer)
    assert (the_invoice(customer).tax, the_invoice(customer).total) == (1, 1)


def test_a_plans_fee_and_its_next_in_advance(customer):
    a_subscription(customer, fee=Decimal(30))
    run(customer)
    invoice = the_invoice(customer)
    assert lines(invoice) == [
        ("fee", "Team · 1 Oct to 31 Oct 2026", "30.00"),
        ("fee", "Team · 1 Nov to 30 Nov 2026", "30.00"),
    ]
    run(customer, at=DECEMBER)
    november = invoices(customer)[1]
    assert lines(november) == [("fee", "Team · 1 Dec to 31 Dec 2026", "30.00")]


def test_a_fee_in_arrears_is_in_proportion(customer):
    a_subscription(customer, starts=datetime(2026, 10, 8, tzinfo=UTC), fee=Decimal(31), fee_due="arrears")
    used(customer, day=2, price="1", model="mystery")
    used(customer, day=9, price="2", model="mystery")
    run(customer)
    assert lines(the_invoice(customer)) == [
        ("fee", "Team · 1 Oct to 31 Oct 2026 · 24 of 31 days", "24.00"),
        ("usage", "mystery", "1.00"),
        ("usage", "mystery", "2.00"),
    ]


def test_a_fee_billed_in_advance_for_days_that_never_came_is_taken_back(customer):
    subscription = a_subscription(customer, fee=Decimal(30))
    run(customer)
    subscription.ends_at = datetime(2026, 11, 16, tzinfo=UTC)
    subscription.save()
    used(customer, day=5, month=11, price="100", model="mystery")
    run(customer, at=DECEMBER, month=date(2026, 11, 1))
    november = invoices(customer)[1]
    assert lines(november) == [
        ("fee", "Team · 1 Nov to 30 Nov 2026 · 15 of 30 days", "-15.00"),
        ("usage", "mystery", "100.00"),
    ]


def test_charges_allowances_minimum_and_discount(customer):
    tiers = [{"up_to": "1000", "unit": "2", "flat": "0"}, {"up_to": None, "unit": "1", "flat": "0"}]
    a_subscription(
        customer,
        fee=Decimal(10),
        fee_due="arrears",
        minimum=Decimal(50),
        discount_percent=Decimal(10),
        charges=[{"name": "Mini", "models": "gpt-4o-mini", "metric": "tokens", "mode": "graduated", "per": "1000",
                  "tiers": tiers}],
    )  # fmt: skip
    used(customer, price="999")  # 1500 tokens: 2 + 0.50
    used(customer, price="5", model="mystery")
    run(customer)
    invoice = the_invoice(customer)
    assert sorted(lines(invoice)) == [
        ("charge", "Mini", "2.50"),
        ("fee", "Team · 1 Oct to 31 Oct 2026", "10.00"),
        ("minimum", "Team · minimum commitment", "32.50"),
        ("usage", "mystery", "5.00"),
    ]
    assert (invoice.subtotal, invoice.discount, invoice.total) == (50, Decimal("1.75"), Decimal("48.25"))


def test_discount_is_named(customer):
    a_subscription(customer, discount_percent=Decimal(10))
    used(customer, price="10", model="mystery")
    run(customer)
    assert the_invoice(customer).discounts == [{"name": "Team", "amount": "1.00"}]


def test_all_periods_since_the_plan_began_are_made_up_for(customer):
    a_subscription(customer, starts=datetime(2026, 8, 1, tzinfo=UTC), fee=Decimal(5), fee_due="arrears")
    run(customer)
    assert [invoice.period_start.month for invoice in invoices(customer)] == [8, 9, 10]


def test_a_prepaid_wallet_that_lags_behind_is_counted_in(customer):
    wallet = a_wallet(customer, "10")
    used(customer, price="2", model="mystery")
    draw_usage(wallet.pk, at=AFTER)
    used(customer, price="3", model="mystery", hour=13)
    run(customer)
    assert the_invoice(customer).total == 0
