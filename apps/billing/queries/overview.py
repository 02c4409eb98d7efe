"""What the whole of an organization's billing comes to: what was sold, what it cost, who owes, who moves.

Usage is in USD, as it is priced; what is owed is in the currencies it is invoiced in, which are never added up.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import ExpressionWrapper, F, Q, Sum
from django.db.models.functions import TruncMonth

from apps.accounts.models import Organization
from apps.billing.models import Invoice, InvoiceLine, PlanVersion, Subscription
from apps.billing.money import precise
from apps.kit.fields import AmountField
from apps.usage.models import DailyCustomer, DailyModel
from apps.usage.queries.periods import midnight, next_month, previous_month

ZERO = Decimal(0)
MONTHS = 12
AGES = (("not due yet", None, 0), ("1 to 30 days", 1, 30), ("31 to 60 days", 31, 60), ("61 to 90 days", 61, 90),
        ("over 90 days", 91, None))  # fmt: skip
A_MONTH = {"month": Fraction(1), "quarter": Fraction(1, 3), "year": Fraction(1, 12), "week": Fraction(52, 12)}
Interval = PlanVersion.Interval


@dataclass(frozen=True)
class Month:
    """What a month brought, in USD. fees: of plans, on invoices that were issued in it."""

    first: date
    price: Decimal
    cost: Decimal
    fees: Decimal

    @property
    def revenue(self) -> Decimal:
        return self.price + self.fees

    @property
    def margin(self) -> Decimal:
        return self.revenue - self.cost

    @property
    def margin_share(self) -> float | None:
        return float(self.margin / self.revenue) if self.revenue else None


@dataclass(frozen=True)
class Mover:
    """A customer who uses more, or less, than in as many days of the month before."""

    customer_id: UUID
    name: str
    now: Decimal
    before: Decimal

    @property
    def change(self) -> Decimal:
        return self.now - self.before


@dataclass(frozen=True)
class Age:
    """What is owed for so long, by currency."""

    label: str
    amounts: list[tuple[str, Decimal]]


def months_of(organization: Organization, *, at: datetime, count: int = MONTHS) -> list[Month]:
    """The last months, that of `at` with them, in order."""
    zone = ZoneInfo(organization.time_zone)
    firsts = [at.astimezone(zone).date().replace(day=1)]
    while len(firsts) < count:
        firsts.append(previous_month(firsts[-1]))
    used = _used_by_month(organization, firsts[-1], zone)
    fees = _fees_by_month(organization, firsts[-1])
    return [Month(first, *used.get(first, (ZERO, ZERO)), fees.get(first, ZERO)) for first in reversed(firsts)]


def _used_by_month(organization: Organization, since: date, zone: ZoneInfo) -> dict[date, tuple[Decimal, Decimal]]:
    days = DailyModel.objects.filter(organization=organization, day__gte=midnight(since, zone))
    rows = days.values_list("day").annotate(Sum("price"), Sum("cost"))
    found: dict[date, tuple[Decimal, Decimal]] = {}
    for day, price, cost in rows:
        first = day.astimezone(zone).date().replace(day=1)
        before = found.get(first, (ZERO, ZERO))
        found[first] = (before[0] + price, before[1] + cost)
    return found


def _fees_by_month(organization: Organization, since: date) -> dict[date, Decimal]:
    """Fees and commitments, not taxed, in dollars at each invoice's rate."""
    kinds = (InvoiceLine.Kind.FEE, InvoiceLine.Kind.MINIMUM)
    lines = InvoiceLine.objects.filter(
        invoice__organization=organization, kind__in=kinds, invoice__issued_on__gte=since
    ).exclude(invoice__state=Invoice.State.VOID)
    usd = ExpressionWrapper(F("precise_amount") / F("invoice__per_dollar"), output_field=AmountField())
    rows = lines.annotate(month=TruncMonth("invoice__issued_on")).values_list("month").annotate(fees=Sum(usd))
    return dict(rows)


def receivables(organization: Organization, *, on: date) -> list[Age]:
    """What is open, by how long it is overdue on that day."""
    rows = (
        Invoice.objects.filter(organization=organization, state=Invoice.State.OPEN)
        .values_list("currency", "due_on")
        .annotate(owed=Sum(F("total") - F("paid") - F("credited")))
    )
    sums: dict[str, dict[str, Decimal]] = {label: {} for label, _, _ in AGES}
    for currency, due_on, amount in rows:
        label = _age((on - due_on).days if due_on else 0)
        sums[label][currency] = sums[label].get(currency, ZERO) + amount
    return [Age(label, sorted(amounts.items())) for label, amounts in sums.items()]


def _age(days: int) -> str:
    return next(label for label, _, most in AGES if most is None or days <= most)


def monthly_recurring(organization: Organization, *, at: datetime) -> list[tuple[str, Decimal]]:
    """The fees of all plans that customers are on, for a month, by currency. Trials don't count."""
    live = Subscription.objects.filter(customer__organization=organization, starts_at__lte=at)
    live = live.filter(Q(ends_at=None) | Q(ends_at__gt=at)).filter(Q(trial_ends_at=None) | Q(trial_ends_at__lte=at))
    rows = live.values_list("version__currency", "version__interval").annotate(Sum("version__fee"))
    sums: dict[str, Decimal] = {}
    for currency, interval, fee in rows:
        sums[currency] = sums.get(currency, ZERO) + precise(Fraction(fee) * A_MONTH[interval])
    return sorted((currency, amount) for currency, amount in sums.items() if amount)


def movers(organization: Organization, *, at: datetime, most: int = 6) -> list[Mover]:
    """Whose usage changed most, in price, since as many days of last month."""
    zone = ZoneInfo(organization.time_zone)
    today = at.astimezone(zone).date()
    first, before = today.replace(day=1), previous_month(today)
    same_day = min(before + (today - first) + timedelta(days=1), first)
    now = Sum(
        "price", filter=Q(day__gte=midnight(first, zone), day__lt=midnight(next_month(first), zone)), default=ZERO
    )
    then = Sum("price", filter=Q(day__lt=midnight(same_day, zone)), default=ZERO)
    rows = DailyCustomer.objects.filter(organization=organization, day__gte=midnight(before, zone))
    sums = {pk: (a, b) for pk, a, b in rows.values_list("customer_id").annotate(now=now, before=then) if a != b}
    top = sorted(sums, key=lambda pk: -abs(sums[pk][0] - sums[pk][1]))[:most]
    names = dict(organization.customers.filter(pk__in=top).values_list("pk", "name"))
    return [Mover(pk, names[pk], *sums[pk]) for pk in top if pk in names]
