"""Where a customer, its keys and its end users stand with their limits now; who is at one. For pages and the API."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q

from apps.accounts.models import Organization
from apps.customers.limit_fields import LIMITS
from apps.customers.models import Customer
from apps.keys.models import ProxyKey
from apps.limits.book import scoped_of_customer, scoped_of_end_user, scoped_of_key
from apps.limits.models import EndUserLimit
from apps.limits.scopes import Scoped, Scopes
from apps.limits.state import LimitState, scopes_states
from apps.limits.terms import LimitName, Scope
from apps.usage.spent import spent

LIMITED = Q(*((f"{limit}__isnull", False) for limit in LIMITS), _connector=Q.OR)


@dataclass(frozen=True)
class Standing:
    """Of one scope. `name`: the customer's, the key's, or the end user's."""

    scope: Scope
    customer: Customer
    name: str
    key_id: UUID | None  # of a key
    states: list[LimitState]

    @property
    def is_at_a_limit(self) -> bool:
        return any(state.is_reached for state in self.states)


def standings_of(customer: Customer, *, at: datetime) -> list[Standing] | None:
    """The customer, its live keys with limits of their own, and its end users with limits of their own, in this order.

    The default of all other end users has no figures of its own: ask `standing_of_end_user` about one.
    None while Redis is away.
    """
    keys = customer.proxy_keys.live(at).filter(LIMITED).order_by("name")
    rows = customer.end_user_limits.filter(LIMITED).exclude(end_user=None).order_by("end_user")
    asked = [
        (scoped_of_customer(customer), customer.name, None),
        *((scoped_of_key(customer, key), key.name, key.pk) for key in keys),
        *((scoped_of_end_user(row, row.end_user), row.end_user, None) for row in rows if row.end_user),
    ]
    return _standings([(customer, *each) for each in asked], customer.organization, at)


def standing_of_end_user(customer: Customer, end_user: str, *, at: datetime) -> Standing | None:
    """Where one end user stands: with limits of its own, or with the default. None: without any, or Redis is away."""
    rows = {row.end_user: row for row in customer.end_user_limits.filter(Q(end_user=end_user) | Q(end_user=None))}
    row = rows.get(end_user) or rows.get(None)
    if row is None:
        return None
    found = _standings([(customer, scoped_of_end_user(row, end_user), end_user, None)], customer.organization, at)
    return found[0] if found else None


def at_a_limit(organization: Organization, *, at: datetime) -> list[Standing] | None:
    """All customers, live keys, and end users with limits of their own that are at one now. None: Redis is away."""
    customers = {customer.pk: customer for customer in organization.customers.all()}
    limited = (
        customer for customer in customers.values() if any(getattr(customer, each) is not None for each in LIMITS)
    )
    keys = ProxyKey.objects.filter(LIMITED, organization=organization).live(at)
    rows = EndUserLimit.objects.filter(LIMITED, customer__organization=organization).exclude(end_user=None)
    asked: list[tuple[Customer, Scoped, str, UUID | None]] = []
    asked += ((each, scoped_of_customer(each), each.name, None) for each in limited)
    for key in keys:
        customer = customers[key.customer_id]
        asked.append((customer, scoped_of_key(customer, key), key.name, key.pk))
    for row in rows:
        if row.end_user:
            asked.append((customers[row.customer_id], scoped_of_end_user(row, row.end_user), row.end_user, None))
    found = _standings(asked, organization, at)
    return None if found is None else [standing for standing in found if standing.is_at_a_limit]


def _standings(
    asked: Iterable[tuple[Customer, Scoped, str, UUID | None]], organization: Organization, at: datetime
) -> list[Standing] | None:
    asked = list(asked)
    zone = ZoneInfo(organization.time_zone)
    scopes = {number: Scopes(scoped.keys, (scoped,)) for number, (_, scoped, *_) in enumerate(asked)}
    states = scopes_states(scopes, zone, at)
    if states is None:
        return None
    return [
        Standing(scoped.scope, customer, name, key_id, [_surely(s, customer, scoped, zone, at) for s in states[number]])
        for number, (customer, scoped, name, key_id) in enumerate(asked)
    ]


def _surely(state: LimitState, customer: Customer, scoped: Scoped, zone: ZoneInfo, at: datetime) -> LimitState:
    """What Redis has no complete sum of, as the database has it: all that is shipped."""
    if state.is_sure:
        return state
    begins_at = None
    local = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if state.name in (LimitName.DAILY, LimitName.MONTHLY):
        begins_at = local if state.name is LimitName.DAILY else local.replace(day=1)
    owner = UUID(bytes=scoped.owner) if isinstance(scoped.owner, bytes) else scoped.owner
    after_us = round((at.astimezone(UTC).timestamp() + 60) * 1_000_000)
    price, _ = spent(customer.pk, owner, begins_at=begins_at, ends_at=None, before_us=after_us, ids=[])
    return replace(state, used=price)
