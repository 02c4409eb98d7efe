"""Do three records agree? The client's, the provider's and ours, of the same calls. A pure function.

    C1  what the provider answered to the end has exactly one record
    C2  what the client saw the end of has exactly one record, and one that is not "unfinished"
    C3  a record that says it was served has a call that the provider answered
    C4  its tokens and cost are the provider's, to the last digit, and its price the cost with the markup
    C8  no call is in another tenant's records

The arithmetic is done again here, from the rates and the provider's own usage: nothing of ours is used.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

SERVED, FAILED, REFUSED, CANCELLED, UNFINISHED = range(5)
PLACES = Decimal("0.000000000001")

TOKENS = {  # of a record, by how the provider's usage tells them
    "openai": {
        "input": lambda usage: usage["prompt_tokens"] - usage["prompt_tokens_details"]["cached_tokens"],
        "cache_read": lambda usage: usage["prompt_tokens_details"]["cached_tokens"],
        "output": lambda usage: usage["completion_tokens"] - usage["completion_tokens_details"]["reasoning_tokens"],
        "reasoning": lambda usage: usage["completion_tokens_details"]["reasoning_tokens"],
    },
    "anthropic": {
        "input": lambda usage: usage["input_tokens"],
        "cache_read": lambda usage: usage["cache_read_input_tokens"],
        "cache_write_5m": lambda usage: usage["cache_creation"]["ephemeral_5m_input_tokens"],
        "cache_write_1h": lambda usage: usage["cache_creation"]["ephemeral_1h_input_tokens"],
        "output": lambda usage: usage["output_tokens"],
    },
    "gemini": {
        "input": lambda usage: usage["promptTokenCount"] - usage.get("cachedContentTokenCount", 0),
        "cache_read": lambda usage: usage.get("cachedContentTokenCount", 0),
        "output": lambda usage: usage["candidatesTokenCount"],
        "reasoning": lambda usage: usage.get("thoughtsTokenCount", 0),
    },
}


@dataclass(frozen=True)
class ClientCall:
    nonce: str
    customer: str
    saw_end: bool
    status: int


@dataclass(frozen=True)
class ProviderCall:
    nonce: str
    wire: str
    usage: Mapping[str, Any]
    is_complete: bool


@dataclass(frozen=True)
class Record:
    """A row of `usage_request`. `tokens` by kind, without those that are none."""

    nonce: str
    customer: str
    result: int
    tokens: Mapping[str, int]
    cost: Decimal | None
    price: Decimal | None


@dataclass(frozen=True)
class Violation:
    rule: str
    nonce: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule} {self.nonce}: {self.what}"


def check(
    clients: Iterable[ClientCall],
    provider: Iterable[ProviderCall],
    records: Iterable[Record],
    *,
    rates: Mapping[str, str],
    markup: int,
) -> list[Violation]:
    """Everything that does not agree; empty when all is well.

    rates: USD a million tokens by kind; a kind without one is charged as `output`. markup: percent.
    """
    clients, provider = list(clients), list(provider)
    records_of: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        records_of[record.nonce].append(record)
    calls_of: dict[str, list[ProviderCall]] = defaultdict(list)
    for call in provider:
        calls_of[call.nonce].append(call)
    owner = {call.nonce: call.customer for call in clients}
    return [
        *_provider_calls_without(provider, records_of),
        *_answers_without(clients, records_of),
        *_records_without(records_of, calls_of),
        *_wrongly_priced(records_of, calls_of, rates, markup),
        *_misplaced(records_of, owner),
    ]


Found = Iterable[Violation]
Records = Mapping[str, list[Record]]
Calls = Mapping[str, list[ProviderCall]]


def _provider_calls_without(provider: list[ProviderCall], records_of: Records) -> Found:
    for call in provider:
        count = len(records_of.get(call.nonce, []))
        if call.is_complete and count != 1:
            yield Violation("C1", call.nonce, f"answered by the provider, {count} records")


def _answers_without(clients: list[ClientCall], records_of: Records) -> Found:
    for call in clients:
        if not call.saw_end:
            continue
        found = records_of.get(call.nonce, [])
        if len(found) != 1:
            yield Violation("C2", call.nonce, f"the client saw {call.status} to its end, {len(found)} records")
        elif found[0].result == UNFINISHED:
            yield Violation("C2", call.nonce, "the client saw its end, the record says it was not finished")


def _records_without(records_of: Records, calls_of: Calls) -> Found:
    for nonce, records in records_of.items():
        for record in records:
            if record.result == SERVED and not any(call.is_complete for call in calls_of.get(nonce, [])):
                yield Violation("C3", nonce, "recorded as served, but the provider did not answer it")


def _wrongly_priced(records_of: Records, calls_of: Calls, rates: Mapping[str, str], markup: int) -> Found:
    for nonce, records in records_of.items():
        calls = [call for call in calls_of.get(nonce, []) if call.is_complete]
        for record in records:
            if record.result != SERVED or len(calls) != 1:
                continue
            tokens = tokens_of(calls[0])
            if dict(record.tokens) != tokens:
                yield Violation("C4", nonce, f"tokens {dict(record.tokens)}, by the provider {tokens}")
            cost = cost_of(tokens, rates)
            price = _rounded(cost * (100 + markup) / 100)
            if (record.cost, record.price) != (_rounded(cost), price):
                told = f"cost {record.cost} and price {record.price}"
                yield Violation("C4", nonce, f"{told}, should be {_rounded(cost)} and {price}")


def _misplaced(records_of: Records, owner: Mapping[str, str]) -> Found:
    for nonce, records in records_of.items():
        for record in records:
            if nonce in owner and record.customer != owner[nonce]:
                yield Violation("C8", nonce, f"of customer {owner[nonce]}, recorded for {record.customer}")


def tokens_of(call: ProviderCall) -> dict[str, int]:
    """The provider's usage in disjoint kinds, without those that are none."""
    counts = {kind: count(call.usage) for kind, count in TOKENS[call.wire].items()}
    return {kind: count for kind, count in counts.items() if count}


def cost_of(tokens: Mapping[str, int], rates: Mapping[str, str]) -> Decimal:
    """Exact, in USD."""
    return (
        sum((Decimal(rates.get(kind, rates["output"])) * count for kind, count in tokens.items()), Decimal(0)) / 10**6
    )


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(PLACES, ROUND_HALF_UP)
