"""Two months of calls that could have been, for dashboards that show something on the first day.

Pure: the same seed and the same time give the same calls. What they cost is asked of `price_of`.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from msgspec.structs import replace

from apps.pricing.rating import Rated, Tokens
from apps.usage.record import CANCELLED, FAILED, REFUSED, REPORTED, SERVED, Intent, Outcome

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
PLANS = ("free", "free", "free", "pro", "pro", "enterprise")  # as many of each as it is likely
FAILURES = ((429, "rate_limit_exceeded"), (500, "server_error"), (503, "overloaded"))

PriceOf = Callable[[str, str, Tokens, datetime], tuple[Rated, int] | None]  # the price's id with it


@dataclass(frozen=True)
class Habit:
    """A kind of call that a customer makes: with which model, for which of its features, how large."""

    provider: str
    endpoint: str
    model: str
    dated: str  # what the answer adds to the model's name
    feature: str
    input_tokens: int  # the middle of a wide spread
    output_tokens: int
    streamed: float = 0.0  # how many of its calls are
    cached: float = 0.0  # how much of the input is read from the cache
    reasoning: float = 0.0  # how much of the output is thought
    steps: tuple[str, ...] = ()  # paths of a session's calls, where one call isn't all


@dataclass(frozen=True)
class Rhythm:
    """When a customer calls, and how often."""

    calls_a_day: float = 100
    growth: float = 0.0  # how much more the last day has than the first
    end_users: int = 10
    rests_at_weekends: bool = False
    refused: float = 0.0  # how many of its calls its own limits refuse


@dataclass(frozen=True)
class Account:
    """A customer of the demo as its calls name it, and how it behaves."""

    organization_id: UUID
    customer_id: UUID
    proxy_key_ids: Sequence[UUID]
    provider_key_ids: Mapping[str, UUID]
    markup_percent: Decimal
    habits: Mapping[Habit, float]  # with the share of the calls that each has
    rhythm: Rhythm


def calls(
    account: Account, *, days: int, until: datetime, price_of: PriceOf, seed: int
) -> Iterator[tuple[Intent, Outcome]]:
    """The account's calls of the `days` whole days before `until`, and of that day so far."""
    chance = random.Random(seed)  # noqa: S311 (a demonstration, not a secret)
    users = [(f"user-{number:03}", chance.choice(PLANS)) for number in range(1, account.rhythm.end_users + 1)]
    today = until.replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(days, -1, -1):
        begin = today - timedelta(days=day)
        grown = 1 + account.rhythm.growth * (days - day) / days
        quiet = 0.25 if account.rhythm.rests_at_weekends and begin.weekday() >= 5 else 1.0
        for _ in range(round(account.rhythm.calls_a_day * grown * quiet * chance.uniform(0.8, 1.2))):
            started_at = begin + timedelta(seconds=round(86_400 * _time_of_day(chance), 6))
            user, plan = users[int(len(users) * chance.random() ** 2)]  # few make most of the calls
            for call in _visit(account, chance, started_at, user, plan, price_of):
                if call[0].started_at_us < (until - EPOCH) // MICROSECOND:
                    yield call


def _time_of_day(chance: random.Random) -> float:
    """A time of day, as a part of it: mostly in the afternoon, seldom at night."""
    return chance.gauss(0.58, 0.17) % 1.0


def _visit(
    account: Account, chance: random.Random, at: datetime, user: str, plan: str, price_of: PriceOf
) -> Iterator[tuple[Intent, Outcome]]:
    """A call, or a session of several, one after the other."""
    habit = chance.choices(list(account.habits), list(account.habits.values()))[0]
    if not habit.steps:
        yield _call(account, chance, habit, at, user, plan, price_of)
        return
    session_id, name = f"{habit.feature}-{chance.getrandbits(40):010x}", habit.feature.capitalize()
    for path in habit.steps:
        intent, outcome = _call(account, chance, habit, at, user, plan, price_of)
        yield replace(intent, session_id=session_id, session_path=path, session_name=name), outcome
        at += timedelta(milliseconds=outcome.latency_ms + chance.randint(50, 2_000))


def _call(
    account: Account, chance: random.Random, habit: Habit, at: datetime, user: str, plan: str, price_of: PriceOf
) -> tuple[Intent, Outcome]:
    is_streamed = chance.random() < habit.streamed
    intent = Intent(
        id=chance.randbytes(16),
        started_at_us=(at - EPOCH) // MICROSECOND,
        organization_id=account.organization_id.bytes,
        customer_id=account.customer_id.bytes,
        proxy_key_id=chance.choice(account.proxy_key_ids).bytes,
        provider_key_id=account.provider_key_ids[habit.provider].bytes,
        provider=habit.provider,
        endpoint=habit.endpoint,
        model=habit.model,
        is_streamed=is_streamed,
        markup_percent=account.markup_percent,
        end_user=user if chance.random() < 0.97 else None,
        properties=[("Plan", plan), ("Feature", habit.feature)],
    )
    return intent, _outcome(account, chance, habit, intent, at, price_of)


def _outcome(
    account: Account, chance: random.Random, habit: Habit, intent: Intent, at: datetime, price_of: PriceOf
) -> Outcome:
    fate = chance.random()
    if fate < account.rhythm.refused:
        message = "The limit of requests a minute is reached."
        return Outcome(intent.id, REFUSED, 429, 1, error_code="rate_limit_exceeded", error_message=message)
    if fate < account.rhythm.refused + 0.008:
        status, code = chance.choice(FAILURES)
        nothing = Decimal(0)
        return Outcome(intent.id, FAILED, status, chance.randint(80, 900), cost=nothing, price=nothing, error_code=code)
    tokens = _tokens(chance, habit)
    first_ms = round(chance.lognormvariate(math.log(380), 0.45))
    latency_ms = first_ms + round((tokens.output + tokens.reasoning) * chance.uniform(7, 13))
    rated = price_of(habit.provider, habit.model + habit.dated, tokens, at)
    return Outcome(
        id=intent.id,
        result=CANCELLED if intent.is_streamed and chance.random() < 0.01 else SERVED,
        status=200,
        latency_ms=latency_ms,
        model_served=habit.model + habit.dated,
        first_token_ms=first_ms if intent.is_streamed else None,
        usage_source=REPORTED,
        tokens=tokens,
        cost=rated[0].cost if rated else None,
        price=rated[0].price if rated else None,
        price_id=rated[1] if rated else None,
        provider_request_id=f"req_{chance.getrandbits(64):016x}",
    )


def _tokens(chance: random.Random, habit: Habit) -> Tokens:
    read = round(habit.input_tokens * chance.lognormvariate(0, 0.6))
    written = round(habit.output_tokens * chance.lognormvariate(0, 0.7))
    cached = round(read * habit.cached * chance.uniform(0.6, 1.0))
    thought = round(written * habit.reasoning * chance.uniform(0.5, 1.0))
    return Tokens(input=read - cached, cache_read=cached, output=written - thought, reasoning=thought)
