"""Whose limits a call is under: its customer's, its key's, its end user's. Knows no Django.

Only scopes that have limits are asked about. What is asked is packed once for a scope and its periods, and
kept: a call under many limits costs Redis a little more, and the process that lets it in next to nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from apps.limits.prepaid import Prepaid
from apps.limits.terms import Limits, Scope

if TYPE_CHECKING:
    from apps.limits.commands import Commands
    from apps.limits.policy import Policy

MOST_KEPT = 2_000  # scopes of end users and policies, for one key


class LimitKeys:
    """The names of a scope's counters. The braces keep a customer's together on a Redis cluster.

    Holds are the customer's: one may take from several scopes, and ends in all of them at once.
    """

    __slots__ = ("alive", "concurrent", "customer_id", "held", "holds", "prefix", "requests", "spend", "tokens")

    def __init__(self, customer_id: bytes, within: str = "") -> None:
        customer = f"tollgate:{{{customer_id.hex()}}}"
        prefix = customer + within
        self.customer_id = customer_id
        self.alive = f"{customer}:alive"  # since when Redis has known the customer
        self.holds = f"{customer}:holds"
        self.held = f"{customer}:held"
        self.prefix = prefix
        self.requests = f"{prefix}:requests"
        self.tokens = f"{prefix}:tokens"
        self.concurrent = f"{prefix}:concurrent"
        self.spend = f"{prefix}:spend:"  # and the day or month

    @classmethod
    def of_key(cls, customer_id: bytes, proxy_key_id: bytes) -> "LimitKeys":
        return cls(customer_id, f":k:{proxy_key_id.hex()}")

    @classmethod
    def of_end_user(cls, customer_id: bytes, end_user: str) -> "LimitKeys":
        """By a hash: any text may name an end user, of any length, and it is nobody's business here."""
        return cls(customer_id, f":u:{_short(end_user)}")


class Periods(NamedTuple):
    """The day and month that a call falls into ("2026-11-20", "2026-11"), and when they begin and end (Unix time)."""

    day: str
    month: str
    day_begins_at: float = 0.0
    day_ends_at: float = 0.0
    month_begins_at: float = 0.0
    month_ends_at: float = 0.0


def periods_of(local: datetime) -> Periods:
    """The periods that an instant falls into, in its own zone."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return Periods(
        local.strftime("%Y-%m-%d"),
        local.strftime("%Y-%m"),
        midnight.timestamp(),
        next_day(local).timestamp(),
        midnight.replace(day=1).timestamp(),
        next_month(local).timestamp(),
    )


def next_day(local: datetime) -> datetime:
    """Midnight, in the same zone."""
    return (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def next_month(local: datetime) -> datetime:
    """The midnight at which the next month begins, in the same zone."""
    return next_day(local.replace(day=1) + timedelta(days=31)).replace(day=1)


class Scoped(NamedTuple):
    """The limits of one scope.

    owner: whose spend is counted: the key's id or the end user's name; None: the customer's.
    counted_since: Unix time from which on all spend in this scope has been charged to its counters.
    mark: of the row the limits come from. Counters that were kept for another are not believed.
    prepaid: where the total cap is what was paid beforehand.
    """

    scope: Scope
    keys: LimitKeys
    limits: Limits
    owner: bytes | str | None = None
    counted_since: float = 0.0
    mark: str = ""
    prepaid: Prepaid | None = None


class Scopes:
    """All limits that a call is under, ready to be asked about."""

    __slots__ = ("commands", "customer", "each", "has_cap", "is_open", "policy", "tokens_per_minute")

    def __init__(
        self, customer: LimitKeys, each: tuple[Scoped, ...], policy: "Policy | None" = None, segment: str = ""
    ) -> None:
        self.customer = customer
        self.each = tuple(scoped for scoped in each if not scoped.limits.is_open)
        self.policy = None if policy is None else (policy, LimitKeys(customer.customer_id, f":p:{_short(segment)}"))
        self.is_open = not self.each and policy is None
        self.has_cap = any(scoped.limits.has_cap for scoped in self.each) or (policy is not None and policy.is_money)
        tokens = [limit for scoped in self.each if (limit := scoped.limits.tokens_per_minute) is not None]
        self.tokens_per_minute = min(tokens, default=None)  # the narrowest
        self.commands: Commands | None = None  # those of the last call: mostly right for the next

    def __repr__(self) -> str:
        return f"<Scopes of {self.customer.prefix}: {', '.join(scoped.scope for scoped in self.each) or 'open'}>"


class EndUserLimits(NamedTuple):
    """Of a customer's end users: a default (None: they have none), and those with limits of their own."""

    default: tuple[Limits, float, str] | None = None  # with counted_since and mark, as in Scoped
    own: Mapping[str, tuple[Limits, float, str]] = {}

    @property
    def have_cap(self) -> bool:
        """Whether the money of any of them is limited."""
        every = [*self.own.values(), *([self.default] if self.default else [])]
        return any(limits.has_cap for limits, *_ in every)


NOBODY: frozenset[str] = frozenset()


class LimitBook:
    """The limits of one proxy key and all who call with it."""

    __slots__ = ("_base", "_end_users", "_known", "base", "blocked", "customer", "has_cap")

    def __init__(
        self,
        customer: LimitKeys,
        *scoped: Scoped,
        end_users: EndUserLimits | None = None,
        blocked: frozenset[str] = NOBODY,
    ) -> None:
        self.customer = customer
        self.blocked = blocked  # end users whose calls are refused
        self._base = scoped
        self._end_users = end_users
        self._known: dict[tuple[str | None, str, str], Scopes] = {}
        self.base = Scopes(customer, scoped)
        self.has_cap = self.base.has_cap or (end_users is not None and end_users.have_cap)

    def scopes(self, end_user: str | None, policy: "Policy | None" = None, segment: str = "") -> Scopes:
        """The limits that a call of this end user is under. Whoever is seen for the first time has the default."""
        if policy is None and (self._end_users is None or end_user is None):
            return self.base
        name = (end_user, policy.text if policy else "", segment)
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            known = self._known[name] = self._scopes(end_user, policy, segment)
        return known

    def _scopes(self, end_user: str | None, policy: "Policy | None", segment: str) -> Scopes:
        scoped = self._base
        if self._end_users is not None and end_user is not None:
            found = self._end_users.own.get(end_user, self._end_users.default)
            if found is not None:
                limits, since, mark = found
                keys = LimitKeys.of_end_user(self.customer.customer_id, end_user)
                scoped += (Scoped(Scope.END_USER, keys, limits, end_user, since, mark),)
        return Scopes(self.customer, scoped, policy, f"{policy.text}\n{segment}" if policy else "")


def _short(name: str) -> str:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
