"""Numbers of documents: 1, 2, 3 and so on in each series, without a gap."""

from typing import NamedTuple

from apps.accounts.models import Organization
from apps.billing.models import NumberSeries

DIGITS = 4  # at least: INV-0001


class Number(NamedTuple):
    sequence: int
    number: str  # as it is printed


def take_number(organization: Organization, kind: NumberSeries.Kind, prefix: str) -> Number:
    """The next number of a series: see `take_numbers`."""
    [taken] = take_numbers(organization, kind, prefix, 1)
    return taken


def take_numbers(organization: Organization, kind: NumberSeries.Kind, prefix: str, count: int) -> list[Number]:
    """The next numbers of a series, in the transaction that uses them: rolled back, they are the next ones again.

    The row of the series is locked until then. Take it last, so that nobody waits longer than they must.
    """
    NumberSeries.objects.bulk_create([NumberSeries(organization=organization, kind=kind)], ignore_conflicts=True)
    series = NumberSeries.objects.select_for_update(no_key=True).get(organization=organization, kind=kind)
    first = series.last + 1
    series.last += count
    series.save(update_fields=["last"])
    return [Number(each, f"{prefix}{each:0{DIGITS}}") for each in range(first, first + count)]
