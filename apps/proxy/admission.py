"""How much a call may use before it is let in, and what becomes of that afterwards. Knows no Django.

The most that a call can cost is held against every cap until its real price is known, so that settled
spend never passes a cap however many calls run at once.
"""

import logging
from collections.abc import Callable
from math import ceil
from typing import NamedTuple

from apps.limits.headers import headers_of_refusal
from apps.limits.holds import Hold
from apps.limits.limiter import Limiter
from apps.limits.scopes import Periods, Scopes
from apps.limits.terms import LimiterUnavailable, LimitName, LimitReached, Scope, to_pico
from apps.pricing.rating import Price, Units, ceiling
from apps.pricing.selling import Sale
from apps.proxy import stops
from apps.proxy.grant import Calendar, Grant, LimiterOutage
from apps.proxy.shortening import LEAST_OUTPUT, most_output
from apps.usage.record import Awaited, Intent, Outcome

logger = logging.getLogger(__name__)

UNKNOWN_INPUT_TOKENS = 128_000  # of bodies that refer to things whose size they don't tell, by models of unknown size
UNKNOWN_OUTPUT_TOKENS = 16_384  # where neither the call nor the price book knows a maximum
BYTES_A_TOKEN = 4  # of plain text, about
ATTEMPTS = 3  # at finding an output limit that fits, while other calls take what was there


class Demand(NamedTuple):
    """What a call asks for, as far as limits are concerned."""

    input_bytes: int
    input_bound: Callable[[], int | None]  # tokens; asked only where money is limited
    max_output_tokens: int | None  # of one answer; None: not said
    answers: int
    can_be_shortened: bool = False  # its body has an output limit, or can be given one
    units: Units = ()  # the most that it can be charged by the piece
    service_tier: str = ""  # that it asks for

    def most_output(self, price: Price | None) -> int:
        """No call brings more tokens out than this."""
        most = self.max_output_tokens
        if most is None:
            most = (price and price.max_output_tokens) or UNKNOWN_OUTPUT_TOKENS
        return most * self.answers

    def most_input(self, price: Price | None) -> int:
        """Nor more in: what the body tells, or else as much as the model takes."""
        bound = self.input_bound()
        if bound is None:
            bound = (price and price.context_window) or UNKNOWN_INPUT_TOKENS
        return bound

    def likely_tokens(self) -> int:
        """What is counted against tokens a minute until the real number is known."""
        return self.input_bytes // BYTES_A_TOKEN + (self.max_output_tokens or 0) * self.answers


class Admitted(NamedTuple):
    """A call that was let in."""

    hold: Hold
    output_limit: int | None = None  # that must be set on it; None: it goes as it is


class Admission:
    """Lets calls in through the limiter, and says what happens while that is away."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter

    def start(self) -> None:
        self.limiter.start()

    async def stop(self) -> None:
        await self.limiter.stop()

    async def admit(
        self,
        hold_id: str,
        grant: Grant,
        scopes: Scopes,
        price: Price | None,
        demand: Demand,
        now: float,
        sale: Sale | None = None,
    ) -> Admitted:
        """Let the call in under all the limits it is under. Raises Stop.

        price: the provider's; None: not known. sale: the customer's; None: that with the grant's markup.
        """
        periods = grant.calendar.at(now)
        if scopes.is_open:
            return Admitted(await self.limiter.admit(hold_id, scopes, periods, tokens=0, spend=0))
        tokens, spend, began_us = _tokens(scopes, demand), 0, int(now * 1_000_000)
        if scopes.has_cap:
            spend = _spend(grant, price, sale, demand, demand.most_output(price))
        limit = None
        for _ in range(ATTEMPTS):
            try:
                hold = await self.limiter.admit(hold_id, scopes, periods, tokens=tokens, spend=spend, began_us=began_us)
            except LimitReached as reached:
                limit = _shorter(grant, price, sale, demand, reached)
                if limit is None:
                    raise _refusal(reached, scopes, grant.calendar) from None
                spend = _spend(grant, price, sale, demand, limit * demand.answers)
            except LimiterUnavailable:
                return Admitted(self._admit_alone(hold_id, grant, scopes, periods, tokens, now))
            else:
                return Admitted(hold, limit)
        raise stops.away("Other calls are taking all that is left under a spend cap.")

    def resume(self, grant: Grant, intent: Intent, awaited: Awaited) -> Hold:
        """The hold of a call that goes on at the provider, from whoever looked after it before."""
        return self.limiter.resume(
            awaited.hold_id,
            grant.book.scopes(intent.end_user),
            grant.calendar.at(intent.started_at_us / 1_000_000),
            tokens=awaited.held_tokens,
            spend=awaited.held_spend,
            began_us=intent.started_at_us,
            is_alone=awaited.is_alone,
        )

    def settle(self, hold: Hold, outcome: Outcome) -> None:
        """Put the real price and tokens in the place of what was held."""
        spend = to_pico(outcome.price) if outcome.price else 0
        self.limiter.settle(hold, spend=spend, tokens=outcome.tokens.total)

    def _admit_alone(
        self, hold_id: str, grant: Grant, scopes: Scopes, periods: Periods, tokens: int, now: float
    ) -> Hold:
        """Redis is away: the organization has chosen who is served all the same."""
        choice = grant.on_limiter_outage
        if choice is LimiterOutage.REFUSE_ALL or (choice is LimiterOutage.REFUSE_CAPPED and scopes.has_cap):
            raise stops.away("Limits cannot be checked at the moment.")
        try:
            return self.limiter.admit_alone(
                hold_id, scopes, periods, tokens=tokens, now_s=now, began_us=int(now * 1_000_000)
            )
        except LimitReached as reached:
            raise _refusal(reached, scopes, grant.calendar) from None


def _tokens(scopes: Scopes, demand: Demand) -> int:
    """A call that is larger than the narrowest limit gets a window to itself."""
    most = scopes.tokens_per_minute
    return 0 if most is None else min(max(1, demand.likely_tokens()), max(1, most))


def _spend(grant: Grant, price: Price | None, sale: Sale | None, demand: Demand, output_tokens: int) -> int:
    """The most that the customer can be charged, in pico; 0 where nobody knows a price."""
    if sale is not None:
        return sale.bound(price, demand.most_input(price), output_tokens, demand.units, demand.service_tier)
    if price is None:
        return 0
    most_input = demand.most_input(price)
    return ceiling(price, most_input, output_tokens, grant.markup_percent, demand.units, demand.service_tier)


def _shorter(grant: Grant, price: Price | None, sale: Sale | None, demand: Demand, reached: LimitReached) -> int | None:
    """The largest output limit with which the call would fit under its caps, where that may be set; else None."""
    if not (reached.name.is_cap and grant.shortens_output and demand.can_be_shortened):
        return None

    def cost(output_tokens: int) -> int:
        return _spend(grant, price, sale, demand, output_tokens * demand.answers)

    limit = most_output(cost, reached.room)
    is_shorter = LEAST_OUTPUT <= limit < demand.most_output(price) // demand.answers
    return limit if is_shorter else None


WHOSE = {
    Scope.CUSTOMER: "this account",
    Scope.KEY: "this key",
    Scope.END_USER: "this end user",
    Scope.POLICY: "Helicone-RateLimit-Policy",
}
UNIT = {
    LimitName.REQUESTS: "requests a minute",
    LimitName.HOURLY_REQUESTS: "requests an hour",
    LimitName.DAILY_REQUESTS: "requests in 24 hours",
    LimitName.TOKENS: "tokens a minute",
    LimitName.CONCURRENT: "requests at once",
    LimitName.POLICY_REQUESTS: "requests in its window",
    LimitName.POLICY_SPEND: "USD in its window",
}
PERIOD = {LimitName.DAILY: "for the day", LimitName.MONTHLY: "for the month", LimitName.TOTAL: "in total"}


def _refusal(reached: LimitReached, scopes: Scopes, calendar: Calendar) -> stops.Stop:
    """What is told: which limit, whose, how much of it is used, and when it ends. Never a cost, nor anybody else's."""
    name = reached.name
    if reached.is_prepaid:
        return stops.no_credit()
    fields = _fields(reached)
    told = f"{name};scope={reached.scope};limit={reached.limit.normalize():f};used={reached.used.normalize():f}"
    if name.is_cap:
        ends_at = calendar.end_of(name)
        until = "Ask for a higher cap" + (f", or wait until {ends_at:%Y-%m-%d %H:%M %Z}." if ends_at else ".")
        return stops.Stop(
            402,
            "spend_cap_reached",
            f"The spend cap {PERIOD[name]} of {WHOSE[reached.scope]} is ${reached.limit.normalize():f}; "
            f"${reached.used.normalize():f} of it is used, and what calls under way may cost is held. {until} A call "
            "with a smaller limit on its output may still fit.",
            headers=[(b"tollgate-limit", (told + (f";ends={ends_at.isoformat()}" if ends_at else "")).encode())],
            limit=fields | {"ends_at": ends_at and ends_at.isoformat()},
        )
    retry_s = 1 if reached.retry_after_ms is None else ceil(reached.retry_after_ms / 1000)
    commands = scopes.commands
    return stops.Stop(
        429,
        "rate_limit_exceeded",
        f"The limit of {WHOSE[reached.scope]} is {reached.limit.normalize():f} {UNIT[name]}, of which "
        f"{reached.used.normalize():f} are used. Try again in {retry_s} s.",
        retry_after_s=retry_s,
        headers=[
            (b"tollgate-limit", f"{told};ends={retry_s}".encode()),
            *(headers_of_refusal(commands, reached) if commands is not None else ()),
        ],
        limit=fields | {"retry_after_s": retry_s},
    )


def _fields(reached: LimitReached) -> dict[str, object]:
    """The same for programs: amounts in USD are exact, as text."""
    is_money = reached.name.is_cap or reached.name is LimitName.POLICY_SPEND
    limit, used = (f"{value.normalize():f}" if is_money else int(value) for value in (reached.limit, reached.used))
    return {"name": str(reached.name), "scope": str(reached.scope), "limit": limit, "used": used}
