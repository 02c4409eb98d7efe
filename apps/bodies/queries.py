"""What is stored for whom, and what there is."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db.models import Sum

from apps.accounts.models import Organization
from apps.bodies.models import BodyPolicy, CustomerBodyPolicy, DroppedBodies, Kept, StoredBodies
from apps.bodies.policy import Narrowing, Policy, gone_days, narrowed
from apps.customers.models import Customer

DROPPED_WITHIN = timedelta(days=7)
MOST_COUNTED = 10_000
KEEPS_REQUESTS = (Kept.BOTH, Kept.REQUESTS)
KEEPS_RESPONSES = (Kept.BOTH, Kept.RESPONSES)


def policy_of(organization: Organization) -> BodyPolicy:
    """The organization's policy; one that was never set stores nothing."""
    try:
        return organization.body_policy
    except BodyPolicy.DoesNotExist:
        return BodyPolicy(organization=organization)


def own_policy_of(customer: Customer) -> CustomerBodyPolicy:
    """What is narrowed for the customer; nothing where it was never set."""
    try:
        return customer.body_policy
    except CustomerBodyPolicy.DoesNotExist:
        return CustomerBodyPolicy(customer=customer)


def policy_for(customer: Customer) -> Policy | None:
    """What is stored of the customer's requests; None: nothing."""
    base = policy_of(customer.organization)
    if base.keeps == Kept.NOTHING:
        return None
    hidden = {"emails": base.hides_emails, "cards": base.hides_cards, "keys": base.hides_keys}
    own = own_policy_of(customer)
    return narrowed(
        Policy(
            base.keeps in KEEPS_REQUESTS,
            base.keeps in KEEPS_RESPONSES,
            base.days,
            base.most_kb * 1024,
            tuple(name for name, is_hidden in hidden.items() if is_hidden),
            tuple(base.patterns),
        ),
        Narrowing(
            own.keeps in KEEPS_REQUESTS,
            own.keeps in KEEPS_RESPONSES,
            own.days,
            None if own.most_kb is None else own.most_kb * 1024,
            tuple(own.patterns),
        ),
    )


def erased_before(customer: Customer) -> datetime | None:
    """Bodies of calls that began before are gone, or about to be; None: none were erased."""
    instants = (policy_of(customer.organization).erased_at, own_policy_of(customer).erased_at)
    return max((at for at in instants if at is not None), default=None)


def bodies_of(organization: Organization, request_id: UUID, *, at: datetime) -> StoredBodies | None:
    """The stored bodies of a request of the organization; None: there are none, or none any more at `at`.

    A request's id tells when it began, and so on which few days its bodies can go.
    """
    began = datetime.fromtimestamp((request_id.int >> 80) / 1000, UTC) if request_id.version == 7 else None
    if began is None or began.year > 9000:
        return None
    days = {day for slack in (-1, 1) for day in gone_days((began + timedelta(seconds=slack)).date())}
    rows = StoredBodies.objects.filter(
        organization=organization, id=request_id, last_day__in=days, last_day__gt=at.astimezone(UTC).date()
    )
    found = rows.first()
    if found is None:
        return None
    customer = (
        organization.customers.select_related("organization__body_policy", "body_policy")
        .filter(pk=found.customer_id)
        .first()
    )
    if customer is None:
        return None
    erased_at = erased_before(customer)
    return found if erased_at is None or found.started_at >= erased_at else None


class Stock(NamedTuple):
    """What is stored, and what should have been."""

    bodies: int  # requests whose bodies are stored; at most MOST_COUNTED
    is_more: bool  # there are more of them
    oldest: datetime | None
    dropped: int  # in the last days: see DROPPED_WITHIN


def stock_of(organization: Organization, customer: Customer | None = None, *, at: datetime) -> Stock:
    """How much is stored for the organization, or for one of its customers."""
    rows = StoredBodies.objects.filter(organization=organization)
    dropped = DroppedBodies.objects.filter(customer__organization=organization, at__gte=at - DROPPED_WITHIN)
    if customer is not None:
        rows, dropped = rows.filter(customer_id=customer.pk), dropped.filter(customer=customer)
    found = rows.values("id")[: MOST_COUNTED + 1].count()
    oldest = rows.order_by("started_at").values_list("started_at", flat=True).first()
    all_dropped = dropped.aggregate(all=Sum("bodies"))["all"] or 0
    return Stock(min(found, MOST_COUNTED), found > MOST_COUNTED, oldest, all_dropped)
