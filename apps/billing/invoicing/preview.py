"""What a customer's current period comes to so far: its invoice as it would be, and nothing of it stays."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from django.db import transaction

from apps.billing.errors import NotPossible
from apps.billing.invoicing.building import CannotBuild, build_locked
from apps.billing.invoicing.due import Due, due_at
from apps.billing.invoicing.schedule import stretches_of
from apps.billing.models import Invoice, InvoiceLine
from apps.billing.money import round_half_away
from apps.customers.models import Customer

Kind = InvoiceLine.Kind
MICROSECOND = timedelta(microseconds=1)
GOES_ON = frozenset((Kind.USAGE, Kind.CHARGE, Kind.ALLOWANCE, Kind.CREDIT))


@dataclass(frozen=True)
class Allowance:
    """What is included of something, and how much of it is used."""

    name: str
    metric: str
    included: Decimal
    used: Decimal

    @property
    def left(self) -> Decimal:
        return max(self.included - self.used, Decimal(0))

    @property
    def share(self) -> float:
        return float(self.used / self.included) if self.included else 1.0


@dataclass(frozen=True)
class Preview:
    """Amounts are in `currency`. Without invoice: nothing was used yet, and no fee is due."""

    due: Due
    currency: str
    invoice: Invoice | None
    lines: list[InvoiceLine]
    used: Decimal  # what usage comes to, before what is paid from credit
    total: Decimal
    forecast: Decimal  # the total at the period's end, if usage goes on as it did

    @property
    def allowances(self) -> list[Allowance]:
        return [
            Allowance(
                line.description.removesuffix(" · included"),
                line.unit,
                Decimal(line.details["included"]) + Decimal(line.details["rolled"]),
                Decimal(line.details["used"]),
            )
            for line in self.lines
            if line.kind == Kind.ALLOWANCE and "rolled" in line.details
        ]


class _NotReally(Exception):
    """Rolls back what was only tried."""


def preview(customer: Customer, *, at: datetime) -> Preview:
    """Raises NotPossible: what has to be set first."""
    due = due_at(customer.pk, stretches_of(customer), at)
    invoice, lines = None, []
    try:
        with transaction.atomic():
            built = build_locked(customer.organization, [due], at)
            if built.drafts:
                invoice = built.drafts[0]
                lines = list(invoice.lines.all())
            raise _NotReally
    except _NotReally:
        pass
    except CannotBuild as cannot:
        raise NotPossible(" ".join(cannot.reasons.values())) from cannot
    if invoice is None:
        return Preview(due, "USD", None, [], Decimal(0), Decimal(0), Decimal(0))
    used = sum((line.amount for line in lines if line.kind in GOES_ON - {Kind.CREDIT}), Decimal(0))
    return Preview(due, invoice.currency, invoice, lines, used, invoice.total, _forecast(due, invoice, lines, at))


def _forecast(due: Due, invoice: Invoice, lines: list[InvoiceLine], at: datetime) -> Decimal:
    """Usage in proportion to the time that is left, taxed as it is; fees are what they are."""
    passed = Fraction(
        (at - due.period.since_at) // MICROSECOND, (due.period.until_at - due.period.since_at) // MICROSECOND
    )
    going_on = Fraction(sum((line.amount for line in lines if line.kind in GOES_ON), Decimal(0)))
    if not passed or not invoice.subtotal:
        return invoice.total
    more = max(going_on / passed - going_on, Fraction()) * Fraction(invoice.total) / Fraction(invoice.subtotal)
    return round_half_away(Fraction(invoice.total) + more, invoice.currency)
