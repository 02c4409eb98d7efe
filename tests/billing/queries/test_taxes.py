"""Which taxes a customer is charged on a day."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from apps.billing.models import TaxRate
from apps.billing.parties import details_of
from apps.billing.queries.taxes import tax_for
from tests.cast import Cast, an_organization

OCTOBER = date(2026, 10, 15)


def a_rate(cast: Cast, name: str = "VAT", percent: str = "19", country: str = "DE", **fields) -> TaxRate:
    given = {"effective_from": date(2026, 1, 1)} | fields
    return TaxRate.objects.create(organization=cast.acme, name=name, percent=Decimal(percent), country=country, **given)


def billed(cast: Cast, **fields) -> None:
    details = details_of(cast.globex)
    for name, value in fields.items():
        setattr(details, name, value)
    details.save()


def applied(cast: Cast, on: date = OCTOBER) -> tuple[list[tuple[str, str]], str]:
    tax = tax_for(cast.globex, on)
    return [(rate.name, f"{rate.percent.normalize():f}") for rate in tax.rates], tax.treatment.value


def test_nothing_is_charged_where_nothing_was_set(cast: Cast):
    assert applied(cast) == ([], "exclusive")


def test_a_country_is_charged_all_its_rates(cast: Cast):
    a_rate(cast, "QST", "9.975", "CA")
    a_rate(cast, "GST", "5", "CA")
    a_rate(cast)
    billed(cast, country="CA")
    assert applied(cast) == ([("GST", "5"), ("QST", "9.975")], "exclusive")


@pytest.mark.parametrize(
    ("on", "percent"),
    [(date(2026, 6, 30), "19"), (date(2026, 7, 1), "16"), (date(2026, 12, 31), "16"), (date(2027, 1, 1), "19")],
)
def test_a_later_row_takes_the_place_of_an_earlier_one_from_its_day_on(cast: Cast, on: date, percent: str):
    a_rate(cast)
    a_rate(cast, percent="16", effective_from=date(2026, 7, 1))
    a_rate(cast, effective_from=date(2027, 1, 1))
    billed(cast, country="DE")
    assert applied(cast, on) == ([("VAT", percent)], "exclusive")


def test_before_its_first_day_a_rate_is_not_charged(cast: Cast):
    a_rate(cast)
    billed(cast, country="DE")
    assert applied(cast, date(2025, 12, 31)) == ([], "exclusive")


def test_a_retired_rate_holds_until_the_day_before_in_the_organizations_zone(cast: Cast):
    cast.acme.time_zone = "Asia/Tokyo"
    cast.acme.save()
    cast.globex.organization.refresh_from_db()
    a_rate(cast, retired_at=datetime(2026, 9, 30, 15, tzinfo=UTC))  # midnight there: the first of October
    billed(cast, country="DE")
    assert applied(cast, date(2026, 9, 30)) == ([("VAT", "19")], "exclusive")
    assert applied(cast, date(2026, 10, 1)) == ([], "exclusive")


def test_a_rate_given_by_hand_goes_before_the_countrys_and_follows_its_later_rows(cast: Cast):
    a_rate(cast)
    reduced = a_rate(cast, "Reduced VAT", "7", "")
    a_rate(cast, "Reduced VAT", "5", "", effective_from=date(2026, 11, 1))
    billed(cast, country="DE", tax_rate=reduced)
    assert applied(cast) == ([("Reduced VAT", "7")], "exclusive")
    assert applied(cast, date(2026, 11, 1)) == ([("Reduced VAT", "5")], "exclusive")


def test_rates_without_a_country_are_nobodys_until_they_are_given_by_hand(cast: Cast):
    a_rate(cast, country="")
    assert applied(cast) == ([], "exclusive")


def test_contained_in_prices(cast: Cast):
    a_rate(cast, is_inclusive=True)
    billed(cast, country="DE")
    assert applied(cast) == ([("VAT", "19")], "inclusive")


@pytest.mark.parametrize("status", ["reverse_charge", "exempt"])
def test_who_is_not_charged_is_not_whatever_the_country(cast: Cast, status: str):
    a_rate(cast)
    billed(cast, country="DE", tax_status=status)
    assert applied(cast) == ([], status)


def test_another_organizations_rates_are_not_looked_at(cast: Cast):
    other = an_organization()
    TaxRate.objects.create(organization=other, name="VAT", percent=20, country="DE", effective_from=date(2026, 1, 1))
    billed(cast, country="DE")
    assert applied(cast) == ([], "exclusive")
