"""Lines of an invoice as they are made, before anything is rounded. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from apps.billing.invoicing.days import Used
from apps.billing.models import InvoiceLine
from apps.billing.money import PLACES, allocate, converted, rounded, summed

Kind = InvoiceLine.Kind
PICOS = 10**PLACES
MILLION = 1_000_000
PER_MILLION, PER_REQUEST = "1M tokens", "request"

# What a token of each kind costs, relative to the others; empty where nobody knows.
Weights = Callable[[str, str], dict[str, int]]  # by provider and model

KIND_NAMES = {
    "input": "input",
    "cache_read": "cached input",
    "cache_write_5m": "cache writes (5 minutes)",
    "cache_write_1h": "cache writes (1 hour)",
    "cache_write": "cache writes",
    "input_audio": "audio input",
    "input_image": "image input",
    "output": "output",
    "reasoning": "reasoning",
    "output_audio": "audio output",
    "output_image": "image output",
}


@dataclass(frozen=True)
class Drafted:
    """A line of a draft. precise: in the invoice's currency. since, until: of the service, if not the invoice's."""

    kind: InvoiceLine.Kind
    description: str
    precise: Decimal
    model: str = ""
    token_kind: str = ""
    quantity: Decimal | None = None
    unit: str = ""
    unit_price: Decimal | None = None
    since: datetime | None = None
    until: datetime | None = None
    is_taxed: bool = True
    is_discountable: bool = True
    details: dict[str, Any] = field(default_factory=dict)


def usage_lines(
    used: Iterable[Used],
    weights: Weights,
    rate: Decimal,
    *,
    kind: InvoiceLine.Kind = Kind.USAGE,
    label: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Drafted]:
    """Of each model, as sold, a line for each kind of token; they sum to its price exactly.

    rate: what a US dollar is worth in the invoice's currency. What was used without tokens, and models whose
    prices nobody knows any more, are one line, by request.
    """
    lines = []
    for sold_as, of_model in _by_name(used).items():
        shares, counts = _shares(of_model, weights)
        requests = sum(each.requests for each in of_model)
        usd = plain(summed(each.price for each in of_model))
        for token_kind, share in shares.items():
            quantity = Decimal(counts[token_kind]) / MILLION if token_kind else Decimal(requests)
            line = Drafted(
                kind,
                " · ".join(filter(None, (sold_as or "no model", KIND_NAMES.get(token_kind, ""), label))),
                converted(share, rate),
                model=sold_as,
                token_kind=token_kind,
                quantity=quantity,
                unit=PER_MILLION if token_kind else PER_REQUEST,
                unit_price=_unit_price(share, quantity, rate),
                since=since,
                until=until,
                details={"usd": usd, "requests": requests, "share": plain(share)},
            )
            lines.append(line)
    return lines


def _by_name(used: Iterable[Used]) -> dict[str, list[Used]]:
    by_name: dict[str, list[Used]] = {}
    for each in used:
        if each.price or each.requests:
            by_name.setdefault(each.sold_as, []).append(each)
    return by_name


def _shares(of_model: Sequence[Used], weights: Weights) -> tuple[dict[str, Decimal], dict[str, int]]:
    """In USD by kind of token, "" for what is not told apart; and how many tokens of each there are."""
    shares: dict[str, list[Decimal]] = {}
    counts: dict[str, int] = {}
    for each in of_model:
        for kind, amount in split(each.price, each.tokens, weights(each.provider, each.model)).items():
            shares.setdefault(kind, []).append(amount)
            counts[kind] = counts.get(kind, 0) + each.tokens.get(kind, 0)
    return {kind: summed(amounts) for kind, amounts in shares.items()}, counts


def split(price: Decimal, tokens: dict[str, int], weights: dict[str, int]) -> dict[str, Decimal]:
    """A model's price over its kinds of tokens, by what each of them costs: exact where no price changed meanwhile."""
    weighed = {kind: max(count, 0) * weights.get(kind, 0) for kind, count in tokens.items()}
    if not any(weighed.values()):
        return {"": price}
    parts = allocate(int(Fraction(price) * PICOS), list(weighed.values()))
    return {kind: Decimal(part).scaleb(-PLACES) for kind, part in zip(weighed, parts, strict=True)}


def credit_line(
    usd: Decimal,
    rate: Decimal,
    *,
    is_taxed: bool,
    since: datetime | None,
    until: datetime | None,
    label: str = "",
) -> Drafted:
    """What of the usage was paid from credit: taken off."""
    return Drafted(
        Kind.CREDIT,
        " · ".join(filter(None, ("Paid from credit", label))),
        -converted(usd, rate),
        since=since,
        until=until,
        is_taxed=is_taxed,
        is_discountable=False,
        details={"usd": plain(usd)},
    )


def _unit_price(amount: Decimal, quantity: Decimal, rate: Decimal) -> Decimal | None:
    """Of what is shown, in the invoice's currency: amount by quantity."""
    return rounded(Fraction(amount) * Fraction(rate) / Fraction(quantity), PLACES) if quantity else None


def plain(amount: Decimal) -> str:
    """As people write it."""
    return f"{amount.normalize():f}"
