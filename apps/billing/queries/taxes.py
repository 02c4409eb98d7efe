"""Which taxes a customer is charged on a day: by hand, by its country, or none and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from apps.accounts.models import Organization
from apps.billing import taxes
from apps.billing.models import BillingDetails, TaxRate
from apps.billing.parties import details_of
from apps.billing.taxes import Rates, Treatment
from apps.customers.models import Customer

Status = BillingDetails.TaxStatus


@dataclass(frozen=True)
class AppliedTax:
    """What goes into `totals.total_up`: each line is taxed by all of `rates`, as `treatment` says.

    Reverse charge and exempt: the rates are empty, and `treatment` tells the invoice what to say about it.
    """

    rates: Rates
    treatment: Treatment

    @property
    def is_inclusive(self) -> bool:
        return self.treatment is Treatment.INCLUSIVE


def tax_for(customer: Customer, on: date) -> AppliedTax:
    """The tax on what the customer is invoiced for on that day, in its organization's zone.

    Reverse charge and exempt go first; then the rate that it was given by hand; then all those of its
    country; with none of these nothing is charged.
    """
    details = details_of(customer)
    if details.tax_status == Status.REVERSE_CHARGE:
        return AppliedTax((), Treatment.REVERSE_CHARGE)
    if details.tax_status == Status.EXEMPT:
        return AppliedTax((), Treatment.EXEMPT)
    return _charged(_applying(customer.organization, details, on))


def rates_in_force(organization: Organization, on: date) -> list[TaxRate]:
    """Of each tax the row that holds on that day; of one that was retired by then, none.

    In the order in which they are shown and charged: by country, then by name.
    """
    rows = organization.tax_rates.filter(effective_from__lte=on).order_by("country", "name", "effective_from", "pk")
    newest = {(row.country, row.name): row for row in rows}
    zone = ZoneInfo(organization.time_zone)
    return [row for row in newest.values() if row.retired_at is None or row.retired_at.astimezone(zone).date() > on]


def _applying(organization: Organization, details: BillingDetails, on: date) -> list[TaxRate]:
    in_force = rates_in_force(organization, on)
    if by_hand := details.tax_rate:
        # The row that was chosen names the tax: what took its place since holds for those it was given to.
        return [row for row in in_force if (row.country, row.name) == (by_hand.country, by_hand.name)]
    return [row for row in in_force if details.country and row.country == details.country]


def _charged(rows: Iterable[TaxRate]) -> AppliedTax:
    """Either all of a country's taxes are contained in prices, or none: `add_tax_rate` sees to it."""
    rows = list(rows)
    rates = tuple(taxes.TaxRate(row.name, row.percent) for row in rows)
    is_inclusive = bool(rows) and all(row.is_inclusive for row in rows)
    return AppliedTax(rates, Treatment.INCLUSIVE if is_inclusive else Treatment.EXCLUSIVE)
