"""Plans as an operator looks at them: who is on them, and what they bring a month."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from django.db.models import Count

from apps.accounts.models import Organization
from apps.billing.models import Plan, PlanVersion, Subscription
from apps.billing.money import ZERO, precise
from apps.billing.periods import Interval
from apps.billing.queries.subscriptions import live

A_MONTH = {  # what of an interval is a month
    Interval.WEEK: Fraction(52, 12),
    Interval.MONTH: Fraction(1),
    Interval.QUARTER: Fraction(1, 3),
    Interval.YEAR: Fraction(1, 12),
}


@dataclass(frozen=True)
class OfferedPlan:
    """A plan by its newest version. behind: of its subscribers, those on earlier ones."""

    plan: Plan
    version: PlanVersion
    subscribers: int
    behind: int
    monthly: Decimal  # fees of all subscribers a month, in the plan's currency; those on trial with them


def offered_plans(organization: Organization, at: datetime) -> list[OfferedPlan]:
    """All plans by name, those that are retired last."""
    found = Subscription.objects.filter(live(at), customer__organization=organization)
    on = Counter(dict(found.values_list("version_id").annotate(Count("pk"))))
    plans = organization.plans.order_by("name", "pk")
    rows = [_offered(plan, on) for plan in plans.prefetch_related("versions")]
    return sorted(rows, key=lambda row: row.plan.retired_at is not None)


def monthly_fee(version: PlanVersion) -> Decimal:
    """What it costs a month, in its currency, before discounts: a twelfth of a year's fee."""
    return precise(Fraction(version.fee) * A_MONTH[Interval(version.interval)])


def current_versions(organization: Organization) -> list[PlanVersion]:
    """The newest version of each plan that is offered, by name."""
    plans = organization.plans.filter(retired_at=None)
    versions = PlanVersion.objects.filter(plan__in=plans).select_related("plan")
    return list(versions.order_by("plan_id", "-number").distinct("plan_id"))


def _offered(plan: Plan, on: Counter[UUID]) -> OfferedPlan:
    versions = sorted(plan.versions.all(), key=lambda version: version.number)
    newest = versions[-1]
    counts = {version: on[version.pk] for version in versions}
    fees = sum((monthly_fee(version) * count for version, count in counts.items()), ZERO)
    everybody = sum(counts.values())
    return OfferedPlan(plan, newest, everybody, everybody - counts[newest], fees)
