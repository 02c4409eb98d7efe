"""Made-up traffic that looks like real traffic: who calls, when, for what. Pure: no database, no clock.

Customers and their users are few that call often and many that hardly do (Zipf). Users come in sessions of some
calls within minutes, more by day than by night, and less on weekends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from operator import itemgetter
from random import Random
from typing import NamedTuple
from uuid import UUID

from apps.usage.models import Result, UsageSource

HOUR_S = 3600
BY_HOUR = (2, 1, 1, 1, 1, 2, 4, 7, 11, 14, 15, 15, 14, 15, 15, 14, 13, 11, 9, 8, 7, 6, 5, 3)  # of a day in UTC
WEEKEND = 0.45
MEAN_SESSION = 6  # calls
WITHOUT_USER = 0.03  # of the sessions: jobs on a server
KINDS = 4096  # different outcomes of a model's calls
DOLLAR = 10**12


class Model(NamedTuple):
    """Prices are in USD for a million tokens; `typical_ms` is a median."""

    provider: str
    asked: str
    served: str
    endpoint: str
    share: int
    input: float
    output: float
    typical_ms: int


MODELS = (
    Model("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", "chat.completions", 46, 0.15, 0.60, 900),
    Model("openai", "gpt-4o", "gpt-4o-2024-08-06", "chat.completions", 18, 2.5, 10, 1800),
    Model("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "messages", 16, 3, 15, 2600),
    Model("anthropic", "claude-haiku-4-5", "claude-haiku-4-5-20251001", "messages", 10, 1, 5, 1100),
    Model("google", "gemini-2.5-flash", "gemini-2.5-flash", "generateContent", 7, 0.3, 2.5, 1200),
    Model("openai", "text-embedding-3-small", "text-embedding-3-small", "embeddings", 3, 0.02, 0, 120),
)
PLANS = (("free", 70), ("pro", 24), ("enterprise", 6))
FEATURES = (("chat", 50), ("search", 22), ("summary", 14), ("code-review", 9), ("translation", 5))
ENDINGS = (  # result, status, error code, message, of a thousand
    (Result.SERVED, 200, "", "", 952),
    (Result.FAILED, 400, "invalid_request_error", "max_tokens is too large.", 8),
    (Result.FAILED, 429, "rate_limit_exceeded", "Rate limit reached for requests.", 10),
    (Result.FAILED, 503, "server_error", "The server is overloaded.", 6),
    (Result.REFUSED, 429, "rate_limit_exceeded", "More than 60 requests a minute.", 14),
    (Result.REFUSED, 402, "spend_cap_exceeded", "The cap of this month is spent.", 4),
    (Result.CANCELLED, 499, "", "", 6),
)


@dataclass(frozen=True)
class Caller:
    """A user of a customer's product, and what is the same in all of its rows."""

    customer_id: UUID
    proxy_key_id: UUID
    name: str
    plan: str


class Call(NamedTuple):
    """A call of `caller`, or of its customer alone."""

    at: float  # seconds since 1970
    caller: Caller
    is_of_user: bool
    session: str  # "" for jobs
    feature: str
    model: int
    outcome: str  # the columns of OUTCOME, as COPY has them


def callers(customers: Sequence[tuple[UUID, UUID]], users: int, chance: Random) -> tuple[list[Caller], list[float]]:
    """So many users of these customers (with a key of each), and their cumulative weights.

    A few customers have most of the users and calls, and of each a few users most of its calls.
    """
    sizes = [1 / (rank + 1) ** 0.8 for rank in range(len(customers))]
    counts = [max(1, round(users * size / sum(sizes))) for size in sizes]
    counts[0] += users - sum(counts)
    found, weights = [], []
    plans = [name for name, _ in PLANS], [share for _, share in PLANS]
    for (customer_id, key_id), count, size in zip(customers, counts, sizes, strict=True):
        shares = [1 / (rank + 3) ** 0.9 for rank in range(max(count, 0))]
        all_shares = sum(shares)
        for share in shares:
            plan = chance.choices(plans[0], plans[1])[0]
            found.append(Caller(customer_id, key_id, f"user-{len(found):06}@example.com", plan))
            weights.append(size * share / all_shares)
    return found, list(accumulate(weights))


def traffic(
    crowd: Sequence[Caller], weights: Sequence[float], *, requests: int, since: datetime, days: int, chance: Random
) -> Iterator[list[Call]]:
    """Exactly so many calls, an hour at a time, in the order of time within each."""
    hours = [since + timedelta(hours=number) for number in range(days * 24)]
    share = [BY_HOUR[at.hour] * (WEEKEND if at.weekday() >= 5 else 1) for at in hours]
    sums = list(accumulate(share))
    outcomes = [_outcomes(model, chance) for model in MODELS]
    done = 0
    for at, upto in zip(hours, sums, strict=True):
        count = round(requests * upto / sums[-1]) - done
        done += count
        if count:
            yield _hour(crowd, weights, at.timestamp(), count, outcomes, chance)


def _hour(
    crowd: Sequence[Caller],
    weights: Sequence[float],
    at: float,
    count: int,
    outcomes: Sequence[Sequence[str]],
    chance: Random,
) -> list[Call]:
    calls: list[Call] = []
    random, shares = chance.random, [model.share for model in MODELS]
    features = [name for name, _ in FEATURES], [share for _, share in FEATURES]
    while len(calls) < count:
        some = max(1, (count - len(calls)) // MEAN_SESSION)
        who = chance.choices(crowd, cum_weights=weights, k=some)
        about = chance.choices(features[0], features[1], k=some)
        models = chance.choices(range(len(MODELS)), shares, k=some)
        for caller, feature, model in zip(who, about, models, strict=True):
            is_of_user = random() >= WITHOUT_USER
            session = f"{chance.getrandbits(64):016x}" if is_of_user else ""
            when = at + random() * HOUR_S
            while when < at + HOUR_S:
                outcome = outcomes[model][int(random() * KINDS)]
                calls.append(Call(when, caller, is_of_user, session, feature, model, outcome))
                when += 5 + random() * 90
                if random() < 1 / MEAN_SESSION:
                    break
    del calls[count:]
    calls.sort(key=itemgetter(0))
    return calls


OUTCOME = (
    "is_streamed",
    "result",
    "status",
    "latency_ms",
    "first_token_ms",
    "usage_source",
    "input_tokens",
    "cache_read_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost",
    "price",
    "error_code",
    "error_message",
)


def _outcomes(model: Model, chance: Random) -> list[str]:
    shares = [ending[-1] for ending in ENDINGS]
    return [_outcome(model, ending, chance) for ending in chance.choices(ENDINGS, shares, k=KINDS)]


def _outcome(model: Model, ending: tuple[Result, int, str, str, int], chance: Random) -> str:
    result, status, code, message, _ = ending
    is_streamed = model.output > 0 and chance.random() < 0.6
    has_usage = result in (Result.SERVED, Result.CANCELLED)
    latency = 3 if result == Result.REFUSED else round(model.typical_ms * chance.lognormvariate(0, 0.55))
    first = str(round(latency * chance.uniform(0.1, 0.4))) if is_streamed and has_usage else r"\N"
    read = round(chance.lognormvariate(6.6, 1)) if has_usage else 0
    cached = read // 2 if chance.random() < 0.3 else 0
    output = round(chance.lognormvariate(5.2, 0.9)) if has_usage and model.output else 0
    reasoning = output // 2 if model.served.startswith("gemini") else 0
    picodollars = round(
        ((read - cached) * model.input + cached * model.input / 10 + output * model.output) * DOLLAR / 1_000_000
    )
    is_priced = not has_usage or chance.random() > 0.002
    cost, price = (_dollars(picodollars), _dollars(picodollars * 12 // 10)) if is_priced else (r"\N", r"\N")
    source = (UsageSource.REPORTED if chance.random() > 0.01 else UsageSource.ESTIMATED) if has_usage else 0
    streamed = "t" if is_streamed else "f"
    return (
        f"{streamed}\t{result.value}\t{status}\t{latency}\t{first}\t{int(source)}\t"
        f"{read - cached}\t{cached}\t{output - reasoning}\t{reasoning}\t{cost}\t{price}\t{code}\t{message}"
    )


def _dollars(picodollars: int) -> str:
    return f"{picodollars // DOLLAR}.{picodollars % DOLLAR:012}"
