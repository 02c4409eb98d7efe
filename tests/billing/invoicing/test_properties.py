"""What holds for any invoice: its lines sum to it, shares to their model's price, and the same again gives the same."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.billing.discounts import Discount
from apps.billing.errors import NotPossible
from apps.billing.invoicing.composing import compose
from apps.billing.invoicing.days import Used
from apps.billing.invoicing.lines import credit_line, split, usage_lines
from apps.billing.models import Invoice
from apps.billing.money import summed
from apps.billing.queries.taxes import AppliedTax
from apps.billing.taxes import Rounding, TaxRate, Treatment
from apps.usage.models import TOKEN_KINDS

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
PRICES = st.decimals(min_value=0, max_value=10**6, places=12)
COUNTS = st.dictionaries(st.sampled_from(TOKEN_KINDS), st.integers(1, 10**9), max_size=4)
WEIGHTS = st.dictionaries(st.sampled_from(TOKEN_KINDS), st.integers(0, 10**8), max_size=4)
NAMES = st.sampled_from(["gpt-4o", "our-best", ""])


@st.composite
def usages(draw):
    return Used(
        UUID(int=1),
        "openai",
        draw(NAMES),
        draw(NAMES),
        draw(st.integers(0, 10**6)),
        draw(PRICES),
        draw(COUNTS),
        OCTOBER,
    )


@given(PRICES, COUNTS, WEIGHTS, st.booleans())
def test_shares_of_a_price_sum_to_it(price, tokens, weights, is_less):
    price = -price if is_less else price
    assert sum(split(price, tokens, weights).values()) == price


@settings(max_examples=60)
@given(
    st.lists(usages(), max_size=6),
    WEIGHTS,
    st.sampled_from(["1", "0.92", "151.3377"]),
    st.sampled_from(["USD", "JPY", "KWD"]),
    st.sampled_from(["0", "7.7", "20"]),
    st.sampled_from([Treatment.EXCLUSIVE, Treatment.INCLUSIVE]),
    st.sampled_from(list(Rounding)),
    st.sampled_from([None, "12.5", "100"]),
    st.decimals(min_value=0, max_value=10**6, places=6),
)
def test_lines_sum_to_the_invoice(used, weights, rate, currency, percent, treatment, rounding, off, credit):
    rate = Decimal(rate)
    lines = usage_lines(used, lambda provider, model: weights, rate)
    assert summed(Decimal(line.details["share"]) for line in lines) == summed(
        each.price for each in used if each.price or each.requests
    )
    lines.append(credit_line(credit, rate, is_taxed=True, since=None, until=None))
    tax = AppliedTax((TaxRate("VAT", Decimal(percent)),), treatment)
    discounts = [Discount("less", percent=Decimal(off))] if off else []

    def composed():
        invoice = Invoice(currency=currency, per_dollar=rate)
        return invoice, compose(invoice, lines, [], tax=tax, discounts=discounts, rounding=rounding)

    try:
        invoice, made = composed()
    except NotPossible:
        return  # came to less than nothing whatever is done
    assert sum(line.amount for line in made.lines) == invoice.subtotal
    within = treatment is Treatment.INCLUSIVE
    assert invoice.total == invoice.subtotal - invoice.discount + (0 if within else invoice.tax) >= 0
    assert sum(each.amount for each in made.taxes) == invoice.tax
    assert sum(line.details["net"] + line.details["tax"] for line in made.lines) == invoice.total
    again, _ = composed()
    assert (again.total, again.tax, again.precise_subtotal) == (invoice.total, invoice.tax, invoice.precise_subtotal)
