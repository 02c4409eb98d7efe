"""From what the database has of limits to what the limiter asks about."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from apps.customers.limit_fields import LIMITS, LimitFields
from apps.customers.models import Customer
from apps.limits.models import EndUserLimit
from apps.limits.prepaid import Prepaid, prepaid_of
from apps.limits.scopes import EndUserLimits, LimitBook, LimitKeys, Scoped
from apps.limits.terms import Limits, Scope

HEARD = timedelta(seconds=5)  # of a new cap on every process: from then on all spend is charged to its sums


def limits_of(row: LimitFields) -> Limits:
    """The limits that a customer, a key or an end user has."""
    return Limits(**{name: getattr(row, name) for name in LIMITS})


def load_book(customer: Customer, proxy_key: LimitFields) -> LimitBook:
    """All limits of a customer's key and of those who call with it, and who may not. Three queries."""
    of_customer, of_key = scoped_of_customer(customer), scoped_of_key(customer, proxy_key)
    blocked = frozenset(customer.end_users.exclude(blocked_at=None).values_list("name", flat=True))
    return LimitBook(of_customer.keys, of_customer, of_key, end_users=load_end_users(customer), blocked=blocked)


def scoped_of_customer(customer: Customer) -> Scoped:
    return scoped_of_customers([customer])[0]


def scoped_of_customers(customers: Iterable[Customer]) -> list[Scoped]:
    """Of each, with its credit where it pays beforehand. One query."""
    customers = list(customers)
    prepaid = prepaid_of([customer.pk for customer in customers])
    return [_scoped_of_customer(customer, prepaid.get(customer.pk)) for customer in customers]


def _scoped_of_customer(customer: Customer, prepaid: Prepaid | None) -> Scoped:
    keys = LimitKeys(customer.pk.bytes)
    limits, since, mark = _counted(customer, prepaid and prepaid.since)
    if prepaid is None or (limits.total_cap is not None and limits.total_cap <= prepaid.cap):
        return Scoped(Scope.CUSTOMER, keys, limits, None, since, mark)
    limits = replace(limits, total_cap=max(prepaid.cap, Decimal(0)))
    return Scoped(Scope.CUSTOMER, keys, limits, None, since, mark, prepaid)


def scoped_of_key(customer: Customer, proxy_key: LimitFields) -> Scoped:
    keys = LimitKeys.of_key(customer.pk.bytes, proxy_key.pk.bytes)
    limits, since, mark = _counted(proxy_key)
    return Scoped(Scope.KEY, keys, limits, proxy_key.pk.bytes, since, mark)


def scoped_of_end_user(row: EndUserLimit, end_user: str) -> Scoped:
    """For an end user to whom the row's limits apply: its own, or the default."""
    keys = LimitKeys.of_end_user(row.customer_id.bytes, end_user)
    limits, since, mark = _counted(row)
    return Scoped(Scope.END_USER, keys, limits, end_user, since, mark)


def load_end_users(customer: Customer) -> EndUserLimits | None:
    """The default and those with limits of their own; None where nobody is limited."""
    rows = {row.end_user: _counted(row) for row in EndUserLimit.objects.filter(customer=customer)}
    if not rows:
        return None
    return EndUserLimits(rows.pop(None, None), {name: counted for name, counted in rows.items() if name is not None})


def _counted(row: LimitFields, prepaid_since: datetime | None = None) -> tuple[Limits, float, str]:
    """The limits, since when what they cap is counted (Unix time; 0: always), and a short mark of row and caps."""
    at = max(filter(None, (row.caps_changed_at, prepaid_since)), default=None)
    if at is None:
        return limits_of(row), 0.0, ""
    return limits_of(row), (at + HEARD).timestamp(), f"{int(at.timestamp() * 1000):x}{row.pk.hex[-6:]}"
