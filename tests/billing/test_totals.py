"""Invoices' totals: what must hold for any lines, and what no case among the others' shows."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.discounts import Discount
from apps.billing.money import round_half_away, summed
from apps.billing.taxes import Rounding, TaxRate, Treatment
from apps.billing.totals import Line, total_up

D = Decimal
VAT = TaxRate("VAT", D(19))
CITY = TaxRate("City", D("1.5"))


def test_many_tiny_lines_lose_nothing():
    """Six of 0.4 cents and two of one: rounded one by one they would be 2 cents."""
    totals = total_up([Line(D("0.004"))] * 6 + [Line(D("0.01"))] * 2, "USD")
    assert [str(line.amount) for line in totals.lines] == [
        "0.01",
        "0.01",
        "0.00",
        "0.00",
        "0.00",
        "0.00",
        "0.01",
        "0.01",
    ]
    assert (totals.precise_subtotal, totals.subtotal, totals.total) == (D("0.044"), D("0.04"), D("0.04"))


TREATMENTS = [  # treatment, net, tax of each rate, total
    pytest.param(Treatment.EXCLUSIVE, "100.00", ["19.00", "1.50"], "120.50", id="on top"),
    pytest.param(Treatment.INCLUSIVE, "82.99", ["15.77", "1.24"], "100.00", id="within"),
    pytest.param(Treatment.REVERSE_CHARGE, "100.00", ["0.00", "0.00"], "100.00", id="the customer owes it"),
    pytest.param(Treatment.EXEMPT, "100.00", ["0.00", "0.00"], "100.00", id="nobody does"),
]


@pytest.mark.parametrize(("treatment", "net", "taxes", "total"), TREATMENTS)
def test_two_rates_on_one_line(treatment, net, taxes, total):
    totals = total_up([Line(D(100), (VAT, CITY))], "USD", treatment=treatment)
    assert str(totals.net) == net
    assert [str(tax.amount) for tax in totals.taxes] == taxes
    assert str(totals.total) == total
    assert [str(tax.base) for tax in totals.taxes] == [net, net]


def test_a_line_without_a_rate_is_not_taxed():
    totals = total_up([Line(D(100), (VAT,)), Line(D(50))], "USD")
    assert [str(line.tax) for line in totals.lines] == ["19.00", "0.00"]
    assert str(totals.taxes[0].base) == "100.00"


def test_tax_by_rate_and_tax_by_line_differ_by_what_lines_round_away():
    lines = [Line(D("0.02"), (VAT,))] * 10
    assert str(total_up(lines, "USD").tax) == "0.04"
    assert str(total_up(lines, "USD", rounding=Rounding.LINE).tax) == "0.00"


DISCOUNTS = [  # discounts, off each line
    pytest.param([Discount("ten", percent=D(10))], ["2.83", "5.67", "0.00"], id="percent"),
    pytest.param([Discount("all", amount=D(1000))], ["28.33", "56.67", "0.00"], id="never below nothing"),
    pytest.param(
        [Discount("a", percent=D(50)), Discount("b", percent=D(50))], ["21.25", "42.50", "0.00"], id="in turn"
    ),
    pytest.param([Discount("odd", amount=D("0.01"))], ["0.00", "0.01", "0.00"], id="the last cent"),
]


@pytest.mark.parametrize(("discounts", "off"), DISCOUNTS)
def test_discounts_are_of_what_is_left_to_pay_and_spread_over_what_is_charged(discounts, off):
    totals = total_up([Line(D(30)), Line(D(60)), Line(D(-5))], "USD", discounts=discounts)
    assert [str(line.discount) for line in totals.lines] == off
    assert totals.discount == summed(map(D, off))


def test_a_line_that_takes_no_part_keeps_its_price():
    lines = [Line(D(30)), Line(D(60), is_discountable=False)]
    totals = total_up(lines, "USD", discounts=[Discount("half", percent=D(50))])
    assert [str(line.discount) for line in totals.lines] == ["15.00", "0.00"]


def test_more_taken_back_than_charged_mirrors_the_charge():
    charged, back = (total_up([Line(D(sign) * D("33.335"), (VAT,))], "USD") for sign in (1, -1))
    assert (back.subtotal, back.tax, back.total) == (-charged.subtotal, -charged.tax, -charged.total)


@pytest.mark.parametrize(
    "fields", [{}, {"percent": D(1), "amount": D(1)}, {"percent": D(101)}, {"percent": D(-1)}, {"amount": D(-1)}]
)
def test_a_discount_is_one_thing_and_not_more_than_all(fields):
    with pytest.raises(ValueError, match="discount"):
        Discount("odd", **fields)


@pytest.mark.parametrize(("periods", "live"), [(None, [True, True, True]), (2, [True, True, False]), (0, [False] * 3)])
def test_a_discount_holds_for_its_periods(periods, live):
    assert [Discount("d", percent=D(1), periods=periods).is_live(index) for index in range(3)] == live


percents = st.decimals(min_value=0, max_value=100, places=3)
rates = st.builds(TaxRate, st.sampled_from(["VAT", "City", "State"]), percents)
lines = st.builds(
    Line,
    st.decimals(min_value=-(10**6), max_value=10**8, places=12),
    st.lists(rates, max_size=3, unique=True).map(tuple),
    st.booleans(),
)
discounts = st.builds(Discount, st.just("d"), percent=percents) | st.builds(
    Discount, st.just("d"), amount=st.decimals(min_value=0, max_value=10**6, places=4)
)


@given(
    st.lists(lines, max_size=12),
    st.sampled_from(["USD", "JPY", "KWD"]),
    st.lists(discounts, max_size=3),
    st.sampled_from(Treatment),
    st.sampled_from(Rounding),
)
def test_an_invoice_adds_up(rows, currency, taken, treatment, rounding):
    totals = total_up(rows, currency, discounts=taken, treatment=treatment, rounding=rounding)
    assert totals.subtotal == round_half_away(summed(row.precise for row in rows), currency)
    assert sum(line.amount for line in totals.lines) == totals.subtotal
    assert sum(line.discount for line in totals.lines) == totals.discount == sum(d.amount for d in totals.discounts)
    assert sum(line.net for line in totals.lines) == totals.net
    assert sum(line.tax for line in totals.lines) == totals.tax == sum(tax.amount for tax in totals.taxes)
    assert totals.net + totals.tax == totals.total
    before_tax = totals.total if treatment is Treatment.INCLUSIVE else totals.net
    assert totals.subtotal - totals.discount == before_tax
    assert all(line.discount >= 0 for line in totals.lines)
    if treatment in (Treatment.REVERSE_CHARGE, Treatment.EXEMPT):
        assert totals.tax == 0
