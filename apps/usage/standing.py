"""Where a customer, its keys and its end users stand with their limits now; who is at one. For pages and the API."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Max, Q

from apps.accounts.models import Organization
from apps.customers.limit_fields import LIMITS
from apps.customers.models import Customer
from apps.keys.models import ProxyKey
from apps.limits.book import scoped_of_customer, scoped_of_customers, scoped_of_end_user, scoped_of_key
from apps.limits.models import EndUserLimit
from apps.limits.scopes import Scoped, Scopes
from apps.limits.state import LimitState, scopes_states
from apps.limits.terms import LimitName, Scope
from apps.usage.models import HourlyUsage
from apps.usage.spent import Owner, recorded

LIMITED = Q(*((f"{limit}__isnull", False) for limit in LIMITS), _connector=Q.OR)
SEEN_LATELY = timedelta(days=31)
MOST_OWN = 10_000  # end users with limits of their own that are looked at for who is at one
MOST_SEEN = 2_000  # and without, those who called last


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
        return any(state.is_in_the_way for state in self.states)


class Asked(NamedTuple):
    """Of whom the standing is wanted."""

    customer: Customer
    scoped: Scoped
    name: str
    key_id: UUID | None = None

    @property
    def owner(self) -> Owner:
        """Whose spend it is, as in `spent`."""
        owner = self.scoped.owner
        return UUID(bytes=owner) if isinstance(owner, bytes) else owner


def standings_of(
    customer: Customer, *, at: datetime, proxy_keys: Iterable[ProxyKey] | None = None
) -> list[Standing] | None:
    """The customer, and its live keys with limits of their own. None while Redis is away.

    proxy_keys: all of the customer's, where they are read already. Its end users can be many:
    `standings_of_end_users` has those that are wanted.
    """
    if proxy_keys is None:
        keys = list(customer.proxy_keys.live(at).filter(LIMITED).order_by("name"))
    else:
        keys = sorted((key for key in proxy_keys if key.is_live(at) and _is_limited(key)), key=lambda key: key.name)
    asked = [
        Asked(customer, scoped_of_customer(customer), customer.name),
        *(Asked(customer, scoped_of_key(customer, key), key.name, key.pk) for key in keys),
    ]
    return _standings(asked, customer.organization, at)


def _is_limited(key: ProxyKey) -> bool:
    """As LIMITED, of one that is read already."""
    return any(getattr(key, limit) is not None for limit in LIMITS)


def standings_of_customers(customers: Iterable[Customer], *, at: datetime) -> list[Standing] | None:
    """These customers of one organization, and their live keys with limits, at once. None while Redis is away."""
    customers = list(customers)
    if not customers:
        return []
    of = {customer.pk: customer for customer in customers}
    keys = ProxyKey.objects.filter(LIMITED, customer__in=of).live(at).order_by("name")
    scoped = scoped_of_customers(customers)
    asked = [Asked(customer, its, customer.name) for customer, its in zip(customers, scoped, strict=True)]
    for key in keys:
        customer = of[key.customer_id]
        asked.append(Asked(customer, scoped_of_key(customer, key), key.name, key.pk))
    return _standings(asked, customers[0].organization, at)


def standing_of_key(key: ProxyKey, *, at: datetime) -> Standing | None:
    """Where a key stands, within its customer's limits. None while Redis is away."""
    asked = Asked(key.customer, scoped_of_key(key.customer, key), key.name, key.pk)
    found = _standings([asked], key.customer.organization, at)
    return found[0] if found else None


def standings_of_end_users(
    customer: Customer, rows: Iterable[tuple[EndUserLimit, str]], *, at: datetime
) -> list[Standing] | None:
    """Where these end users stand, each with the limits that hold for it, its own or the default. None: Redis is away.

    The default of all has no figures of its own.
    """
    asked = [Asked(customer, scoped_of_end_user(row, name), name) for row, name in rows]
    return _standings(asked, customer.organization, at)


def limits_of_end_user(customer: Customer, end_user: str) -> EndUserLimit | None:
    """The limits that hold for an end user: its own, else the default; None where there are none."""
    rows = {row.end_user: row for row in customer.end_user_limits.filter(Q(end_user=end_user) | Q(end_user=None))}
    return rows.get(end_user) or rows.get(None)


def at_a_limit(organization: Organization, customer: Customer | None = None, *, at: datetime) -> list[Standing] | None:
    """Customers, live keys and end users that are at a limit now; of one customer or of all. None: Redis is away.

    Of the end users under a default, those are looked at who called in the last 31 days, at most MOST_SEEN.
    """
    every = organization.customers.order_by("name")
    customers = {each.pk: each for each in (every if customer is None else every.filter(pk=customer.pk))}
    scoped = scoped_of_customers(customers.values())
    asked = [
        Asked(each, its, each.name)
        for each, its in zip(customers.values(), scoped, strict=True)
        if not its.limits.is_open
    ]
    keys = ProxyKey.objects.filter(LIMITED, customer__in=customers).live(at).order_by("name")
    for key in keys:
        of = customers[key.customer_id]
        asked.append(Asked(of, scoped_of_key(of, key), key.name, key.pk))
    asked += _end_users(customers, at)
    found = _standings(asked, organization, at)
    return None if found is None else [standing for standing in found if standing.is_at_a_limit]


def _end_users(customers: dict[UUID, Customer], at: datetime) -> Iterator[Asked]:
    """Those with limits of their own, then those under a default who called lately."""
    defaults, own = {}, set()
    for row in EndUserLimit.objects.filter(customer__in=customers).order_by("end_user")[: MOST_OWN + len(customers)]:
        if row.end_user is None:
            defaults[row.customer_id] = row
        else:
            own.add((row.customer_id, row.end_user))
            yield Asked(customers[row.customer_id], scoped_of_end_user(row, row.end_user), row.end_user)
    if not defaults:
        return
    seen = HourlyUsage.objects.filter(customer_id__in=defaults, hour__gte=at - SEEN_LATELY).exclude(end_user=None)
    latest = seen.values_list("customer_id", "end_user").annotate(last=Max("last_at")).order_by("-last")
    for customer_id, end_user, _ in latest[:MOST_SEEN]:
        if (customer_id, end_user) not in own:
            scoped = scoped_of_end_user(defaults[customer_id], end_user)
            yield Asked(customers[customer_id], scoped, end_user)


def _standings(asked: Iterable[Asked], organization: Organization, at: datetime) -> list[Standing] | None:
    asked = list(asked)
    zone = ZoneInfo(organization.time_zone)
    scopes = {number: Scopes(each.scoped.keys, (each.scoped,)) for number, each in enumerate(asked)}
    states = scopes_states(scopes, zone, at)
    if states is None:
        return None
    told = [(each, states[number]) for number, each in enumerate(asked)]
    shipped = _shipped(told, at.astimezone(zone))
    return [
        Standing(each.scoped.scope, each.customer, each.name, each.key_id, [_surely(s, each, shipped) for s in its])
        for each, its in told
    ]


Shipped = dict[LimitName, dict[tuple[UUID, Owner], Decimal]]


def _shipped(told: Iterable[tuple[Asked, list[LimitState]]], local: datetime) -> Shipped:
    """What the database has where Redis has no complete sum."""
    lost: defaultdict[LimitName, list[tuple[UUID, Owner]]] = defaultdict(list)
    for each, states in told:
        for state in states:
            if not state.is_sure:
                lost[state.name].append((each.customer.pk, each.owner))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    begins = {LimitName.DAILY: midnight, LimitName.MONTHLY: midnight.replace(day=1)}
    return {name: recorded(whose, begins_at=begins.get(name)) for name, whose in lost.items()}


def _surely(state: LimitState, asked: Asked, shipped: Shipped) -> LimitState:
    if state.is_sure:
        return state
    return replace(state, used=shipped[state.name][asked.customer.pk, asked.owner] - state.behind)
