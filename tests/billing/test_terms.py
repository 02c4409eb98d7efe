"""What a plan's version stores becomes terms, or a message that names what is wrong."""

from decimal import Decimal

import pytest

from apps.billing.terms import BadTerms, Metric, parse_charges, parse_free_units
from apps.billing.tiers import Mode, Tier

GOOD = {
    "name": "GPT-4o",
    "models": "gpt-4o*",
    "metric": "tokens",
    "mode": "volume",
    "per": "1000000",
    "tiers": [{"up_to": "5000000", "unit": "2.50", "flat": "1"}, {"up_to": None, "unit": "1"}],
    "free": "10",
    "minimum": "",
    "maximum": "1000",
}


def test_a_charge_is_read_to_the_last_digit():
    (charge,) = parse_charges([GOOD])
    assert charge.tariff.tiers == (
        Tier(Decimal(5000000), Decimal("0.0000025"), Decimal(1)),
        Tier(None, Decimal("1e-6")),
    )
    assert (charge.metric, charge.tariff.mode, charge.tariff.free) == (Metric.TOKENS, Mode.VOLUME, 10)
    assert (charge.minimum, charge.maximum) == (None, 1000)


@pytest.mark.parametrize(
    ("models", "model", "covers"),
    [
        ("gpt-4o*", "gpt-4o-mini", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("GPT-4O", "gpt-4o", True),
        ("*", "anything", True),
        ("claude-*", "gpt-4o", False),
    ],
)
def test_models_are_named_by_a_pattern(models, model, covers):
    (charge,) = parse_charges([{**GOOD, "models": models}])
    (free,) = parse_free_units([{"name": "F", "models": models, "metric": "tokens", "quantity": 1}])
    assert charge.covers(model) is free.covers(model) is covers


BAD = [  # what is different, what the message says
    ({"name": " "}, "a name"),
    ({"metric": "tokes"}, "counts one of"),
    ({"per": "3"}, "prices are for one of"),
    ({"mode": "stairs"}, "no such way"),
    ({"tiers": []}, "at least one tier"),
    ({"tiers": [{"up_to": "1", "unit": "1"}]}, "last tier"),
    ({"tiers": [{"up_to": None, "unit": "dear"}]}, "“dear” is not a number"),
    ({"tiers": [{"up_to": None, "unit": "NaN"}]}, "not below 0"),
    ({"tiers": [{"up_to": None, "unit": "-1"}]}, "not below 0"),
    ({"minimum": "-1"}, "not below 0"),
    ({"mode": "package", "tiers": [{"up_to": None, "unit": "1"}]}, "a size and one price"),
    ({"mode": "package", "package_size": "5"}, "a size and one price"),
]


@pytest.mark.parametrize(("different", "says"), BAD)
def test_a_charge_that_cannot_be_counted_with_is_refused(different, says):
    with pytest.raises(BadTerms, match=says):
        parse_charges([{**GOOD, **different}])


@pytest.mark.parametrize(
    ("different", "says"),
    [
        ({"quantity": "0"}, "more than nothing"),
        ({"quantity": ""}, "more than nothing"),
        ({"metric": "input_tokens"}, "counts one of"),  # half of the input is not half of the price
        ({"metric": "price"}, "counts one of"),
        ({"name": ""}, "a name"),
    ],
)
def test_an_allowance_that_cannot_be_counted_with_is_refused(different, says):
    with pytest.raises(BadTerms, match=says):
        parse_free_units([{"name": "F", "models": "*", "metric": "tokens", "quantity": "1", **different}])
