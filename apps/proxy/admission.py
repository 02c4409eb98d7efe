"""How much a call may use before it is let in, and what becomes of that afterwards. Knows no Django.

The most that a call can cost is held against every cap until its real price is known, so that settled
spend never passes a cap however many calls run at once.
"""

import logging
from collections.abc import Callable
from math import ceil
from typing import NamedTuple

from apps.limits.limiter import Hold, Limiter
from apps.limits.terms import LimiterUnavailable, LimitReached, to_pico
from apps.pricing.rating import Price, ceiling
from apps.proxy import stops
from apps.proxy.grant import Grant, LimiterOutage
from apps.usage.record import Outcome

logger = logging.getLogger(__name__)

UNKNOWN_INPUT_TOKENS = 128_000  # of bodies that refer to things whose size they don't tell
UNKNOWN_OUTPUT_TOKENS = 16_384  # where neither the call nor the price book knows a maximum
BYTES_A_TOKEN = 4  # of plain text, about


class Demand(NamedTuple):
    """What a call asks for, as far as limits are concerned."""

    input_bytes: int
    input_bound: Callable[[], int | None]  # tokens; asked only where money is limited
    max_output_tokens: int | None  # of one answer; None: not said
    answers: int

    def most_output(self, price: Price) -> int:
        """No call brings more tokens out than this."""
        most = self.max_output_tokens
        if most is None:
            most = price.max_output_tokens or UNKNOWN_OUTPUT_TOKENS
        return most * self.answers

    def likely_tokens(self) -> int:
        """What is counted against tokens a minute until the real number is known."""
        return self.input_bytes // BYTES_A_TOKEN + (self.max_output_tokens or 0) * self.answers


class Admission:
    """Lets calls in through the limiter, and says what happens while that is away."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter

    def start(self) -> None:
        self.limiter.start()

    async def stop(self) -> None:
        await self.limiter.stop()

    async def admit(self, hold_id: str, grant: Grant, price: Price | None, demand: Demand, now: float) -> Hold:
        """Let the call in under all limits of its customer. Raises Stop."""
        calendar, limits = grant.calendar, grant.limits
        calendar.turn_to(now)
        spend = 0
        if limits.has_cap and price is not None:
            bound = demand.input_bound()
            spend = ceiling(
                price,
                UNKNOWN_INPUT_TOKENS if bound is None else bound,
                demand.most_output(price),
                grant.markup_percent,
            )
        tokens = 0
        if limits.tokens_per_minute is not None:  # a call that is larger than the limit gets a window to itself
            tokens = min(max(1, demand.likely_tokens()), max(1, limits.tokens_per_minute))
        try:
            return await self.limiter.admit(
                hold_id,
                grant.limit_keys,
                limits,
                tokens=tokens,
                spend=spend,
                day=calendar.day,
                month=calendar.month,
            )
        except LimitReached as reached:
            raise _refusal(reached) from None
        except LimiterUnavailable:
            return self._admit_alone(grant, tokens, now)

    def settle(self, hold: Hold, outcome: Outcome) -> None:
        """Put the real price and tokens in the place of what was held."""
        spend = to_pico(outcome.price) if outcome.price else 0
        self.limiter.settle(hold, spend=spend, tokens=outcome.tokens.total)

    def _admit_alone(self, grant: Grant, tokens: int, now: float) -> Hold:
        """Redis is away: the organization has chosen who is served all the same."""
        choice = grant.on_limiter_outage
        is_refused = choice is LimiterOutage.REFUSE_ALL or (
            choice is LimiterOutage.REFUSE_CAPPED and grant.limits.has_cap
        )
        if is_refused and not grant.limits.is_open:
            raise stops.away("Limits cannot be checked at the moment.")
        try:
            return self.limiter.admit_alone(
                grant.limit_keys,
                grant.limits,
                tokens=tokens,
                day=grant.calendar.day,
                month=grant.calendar.month,
                now_s=now,
            )
        except LimitReached as reached:
            raise _refusal(reached) from None


def _refusal(reached: LimitReached) -> stops.Stop:
    name, used, limit = reached.name, reached.used, reached.limit
    if name.is_money:
        period = "day" if name == name.DAILY else "month"
        return stops.Stop(
            402,
            "spend_cap_reached",
            f"This account's spend cap for the {period} is ${limit.normalize():f}; ${used:f} of it is used, and "
            "what calls under way may cost is held. Ask for a higher cap, or wait for the next "
            f"{period}. A call with a smaller limit on its output may still fit.",
        )
    unit = {
        name.REQUESTS: "requests a minute",
        name.TOKENS: "tokens a minute",
        name.CONCURRENT: "requests at once",
    }
    retry_s = 1 if reached.retry_after_ms is None else ceil(reached.retry_after_ms / 1000)
    return stops.Stop(
        429,
        "rate_limit_exceeded",
        f"This account's limit is {limit:f} {unit[name]}, of which {used:f} are used. Try again in {retry_s} s.",
        retry_after_s=retry_s,
    )
