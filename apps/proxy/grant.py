"""What a proxy key allows: everything about its customer that a call needs, ready to use. Knows no Django.

`grants.py` loads these from the database and forgets them when something in them changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol
from zoneinfo import ZoneInfo

from apps.bodies.policy import Policy
from apps.limits.access import Access
from apps.limits.scopes import LimitBook, Periods, periods_of
from apps.limits.terms import LimitName
from apps.pricing.rating import Price
from apps.pricing.terms import Terms
from apps.proxy.aliases import Alias
from apps.proxy.route import Plan, Route


class LimiterOutage(StrEnum):
    """What happens to calls while Redis is away: the organization's choice."""

    REFUSE_CAPPED = "refuse_capped"
    SERVE_ALL = "serve_all"
    REFUSE_ALL = "refuse_all"


class Bar(StrEnum):
    """Why a known key is refused."""

    REVOKED = "key_revoked"
    EXPIRED = "key_expired"
    SUSPENDED = "customer_suspended"


NO_PLANS: Mapping[str, Plan] = MappingProxyType({})
NO_ALIASES: Mapping[str, Alias] = MappingProxyType({})


class Grant:
    """A proxy key and what it stands for. Shared by all calls with the key until it is forgotten."""

    __slots__ = (
        "access",
        "aliases",
        "bar",
        "bodies",
        "book",
        "calendar",
        "customer_id",
        "drains",
        "ends_at",
        "loaded_at",
        "markup_percent",
        "on_limiter_outage",
        "organization_id",
        "plans",
        "proxy_key_id",
        "routes",
        "shortens_output",
        "terms",
    )

    def __init__(
        self,
        *,
        organization_id: bytes,
        customer_id: bytes,
        proxy_key_id: bytes,
        bar: Bar | None,
        ends_at: float | None,
        book: LimitBook,
        access: Access,
        shortens_output: bool,
        calendar: "Calendar",
        markup_percent: Decimal,
        on_limiter_outage: LimiterOutage,
        routes: Mapping[str, Route],
        loaded_at: float,
        drains: bool = True,
        plans: Mapping[str, Plan] = NO_PLANS,
        aliases: Mapping[str, Alias] = NO_ALIASES,
        bodies: Policy | None = None,
        terms: Terms | None = None,
    ) -> None:
        self.organization_id = organization_id
        self.customer_id = customer_id
        self.proxy_key_id = proxy_key_id
        self.bar = bar  # from the moment of loading on
        self.ends_at = ends_at  # Unix time from which the key is expired or replaced; None: never
        self.book = book
        self.access = access
        self.aliases = aliases  # by their names
        self.shortens_output = shortens_output  # of a call that would not fit under a cap
        self.calendar = calendar
        self.markup_percent = markup_percent
        self.terms = terms  # rate cards that the customer is sold to by; None: none, but cost with that markup
        self.on_limiter_outage = on_limiter_outage
        self.routes = routes  # by provider
        self.drains = drains  # an answer whose client has gone is read on, to learn what it costs
        self.bodies = bodies  # what is kept of requests and answers; None: nothing
        self.plans = plans  # by provider; none for those that are tried once, with one key
        self.loaded_at = loaded_at  # on the monotonic clock

    def __repr__(self) -> str:
        return f"<Grant of key {self.proxy_key_id.hex()}{f', {self.bar}' if self.bar else ''}>"

    def bar_at(self, now: float) -> Bar | None:
        """Why the key is refused at Unix time `now`; None when it isn't."""
        if self.bar is None and self.ends_at is not None and now >= self.ends_at:
            return Bar.EXPIRED
        return self.bar


NO_PERIODS = Periods("", "")  # in which no instant lies


@dataclass(slots=True)
class Calendar:
    """Which day and month it is in an organization's time zone, worked out once a day."""

    zone: ZoneInfo
    periods: Periods = NO_PERIODS

    def at(self, now: float) -> Periods:
        """The periods of Unix time `now`. They begin and end at local midnights."""
        if self.periods.day_begins_at <= now < self.periods.day_ends_at:
            return self.periods
        self.periods = periods_of(datetime.fromtimestamp(now, self.zone))
        return self.periods

    def end_of(self, cap: LimitName) -> datetime | None:
        """When the period of a cap that was just asked about ends; None: never."""
        ends_at = {LimitName.DAILY: self.periods.day_ends_at, LimitName.MONTHLY: self.periods.month_ends_at}.get(cap)
        return None if ends_at is None else datetime.fromtimestamp(ends_at, self.zone)


class GrantsUnavailable(Exception):
    """The database cannot be asked, and nothing young enough is known of the key."""


class PricesUnavailable(Exception):
    """The database cannot be asked for a price that is not known yet."""


class GrantSource(Protocol):
    """What the proxy asks about keys and prices; `grants.Grants` in production."""

    def start(self) -> None:
        """Begin to hear of changes."""

    async def stop(self) -> None:
        """Hear no more of them."""

    def cached(self, digest: bytes) -> Grant | None:
        """The grant of the key with this SHA-256, where it is known and nothing can have changed unheard of."""

    async def load(self, digest: bytes) -> Grant | None:
        """The grant from the database; None when no such key was ever made. Raises GrantsUnavailable."""

    def cached_price(self, organization_id: bytes, provider: str, model: str) -> "Price | Unknown | None":
        """The price of a model now, None when the book has none, UNKNOWN when it must be loaded."""

    async def load_price(self, organization_id: bytes, provider: str, model: str) -> Price | None:
        """The price from the book; None when it has none. Raises PricesUnavailable."""


class Unknown:
    """Not looked up yet."""


UNKNOWN = Unknown()
