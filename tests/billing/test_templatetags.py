"""How periods and quantities are written on pages."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.utils import timezone

from apps.billing.documents.figures import per_unit, unit_behind
from apps.billing.templatetags.periods import last_day
from apps.billing.templatetags.quantities import quantity_of

LAST_DAYS = [  # where a period ends, in which zone it is shown, and its last day
    pytest.param(date(2026, 11, 1), "UTC", date(2026, 10, 31), id="a day"),
    pytest.param(datetime(2026, 11, 1, tzinfo=UTC), "UTC", date(2026, 10, 31), id="midnight"),
    pytest.param(datetime(2026, 10, 31, 23, tzinfo=UTC), "Europe/Berlin", date(2026, 10, 31), id="in Berlin"),
    pytest.param(datetime(2026, 11, 1, 4, tzinfo=UTC), "America/New_York", date(2026, 10, 31), id="in New York"),
    pytest.param(datetime(2026, 11, 5, 9, 30, tzinfo=UTC), "UTC", date(2026, 11, 5), id="within a day"),
]


@pytest.mark.parametrize(("until", "zone", "last"), LAST_DAYS)
def test_a_period_is_told_by_its_last_day(until, zone, last):
    with timezone.override(zone):
        assert last_day(until) == last


@pytest.mark.parametrize(
    ("unit", "behind", "per"), [("1M tokens", "M tokens", "/ M"), ("request", "requests", ""), ("", "", "")]
)
def test_a_million_is_the_unit_of_a_price_and_an_m_behind_a_number(unit, behind, per):
    assert (unit_behind(unit, Decimal(2)), per_unit(unit)) == (behind, per)
    assert unit_behind("request", Decimal(1)) == "request"


@pytest.mark.parametrize(
    ("quantity", "unit", "shown"),
    [
        ("412.384912", "1M tokens", "412.384912"),
        ("1000.500000", "1M tokens", "1,000.5"),
        ("1666666.666667", "tokens", "1,666,666.67"),
        ("1204.000000", "request", "1,204"),
    ],
)
def test_millions_are_told_to_the_last_token(quantity, unit, shown):
    assert quantity_of(Decimal(quantity), unit) == shown
