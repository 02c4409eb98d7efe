"""One request's whole story, as the console and the portal show it."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.keys.models import ProviderKey, ProxyKey
from apps.pricing.book import as_price
from apps.pricing.card_book import find_rule, told_of
from apps.pricing.models import ModelPrice, RateRule
from apps.pricing.rating import Price, Tokens
from apps.pricing.selling import Sale
from apps.usage.breakdown import Breakdown, Line, break_down, marked_up
from apps.usage.faces import SENT_LABEL, RequestRow
from apps.usage.models import TOKEN_KINDS, Request, Result
from apps.usage.queries.cursors import instant
from apps.usage.record import SENT_KEY
from apps.usage.refusal_faces import REASONS
from apps.usage.sold import sold_as, told
from apps.usage.sold_lines import CEILING, FEE, FLOOR, sold_lines

KIND_LABELS = {
    "input": _("Input"),
    "cache_read": _("Read from the cache"),
    "cache_write_5m": _("Written to the cache, 5 minutes"),
    "cache_write_1h": _("Written to the cache, 1 hour"),
    "cache_write": _("Written to the cache"),
    "input_audio": _("Input, audio"),
    "input_image": _("Input, images"),
    "output": _("Output"),
    "reasoning": _("Reasoning"),
    "output_audio": _("Output, audio"),
    "output_image": _("Output, images"),
    "request": _("The call itself"),
    FEE: _("Fee for a call"),
    FLOOR: _("To the least that a call is charged"),
    CEILING: _("To the most that a call is charged"),
}


class NamedLine(NamedTuple):
    """A line of the price, with its name for people."""

    label: Any
    line: Line


class Pair(NamedTuple):
    """Something that is known of the request."""

    label: Any
    value: Any


class AttemptRow(NamedTuple):
    """A try at the provider."""

    number: int
    key: str
    status: int
    error_code: str
    took_ms: int


@dataclass(frozen=True)
class Story:
    """A request with all that its page tells."""

    row: RequestRow
    sold_as: str  # the name of the model that its customer knows
    key_name: str
    reason: Any  # why it was refused, or failed
    told: str  # to the client
    tokens: list[Pair]
    units: list[Pair]
    lines: list[NamedLine]  # at the rates of whoever looks
    breakdown: Breakdown | None  # None: nothing to break down, or no price that is known
    adds_up: bool  # to what is stored
    price_row: ModelPrice | None
    rule: RateRule | None = None  # of a rate card, by which it was sold
    sold: list[NamedLine] = field(default_factory=list)  # by that rule, where `lines` are the operator's cost
    attempts: list[AttemptRow] = field(default_factory=list)
    provider_key_name: str = ""

    @property
    def margin(self) -> Decimal | None:
        return None if self.row.price is None or self.row.cost is None else self.row.price - self.row.cost

    @property
    def markup(self) -> Decimal:
        """What is put on the cost."""
        return self.breakdown.price - self.breakdown.cost if self.breakdown else Decimal(0)

    @property
    def tokens_a_second(self) -> float | None:
        """Of output, once it had begun; None: not streamed, or too quick to tell."""
        if self.row.first_token_ms is None or self.row.latency_ms <= self.row.first_token_ms:
            return None
        return float(1000 * self.row.all_output / (self.row.latency_ms - self.row.first_token_ms))


def story_of(request: Request, zone: ZoneInfo, *, is_for_customer: bool) -> Story:
    """is_for_customer: what the operator pays, and whom, is left out."""
    price_row, rule = _price_row(request), _rule(request)
    price = as_price(price_row).at(request.started_at.timestamp()) if price_row else None
    sale = told_of(rule).sale(rule.pk) if rule else None
    breakdown = _breakdown(request, price, sale)
    lines = breakdown.lines if breakdown else []
    sold = _sold(request, price, sale) if sale else []
    if is_for_customer:
        lines, sold = sold if sale else marked_up(lines, request.markup_percent), []
    adds_up = breakdown is not None and (breakdown.cost, breakdown.price) == (request.cost, request.price)
    if is_for_customer and sale is not None and not sale.goes_by_cost:
        breakdown = None  # neither the cost nor how it came about has to do with what it paid
    story = Story(
        row=RequestRow(request, zone),
        sold_as=sold_as(request),
        key_name=_key_name(request),
        reason=REASONS.get(request.error_code, request.error_code),
        told=told(request) if is_for_customer else request.error_message,
        tokens=[
            Pair(KIND_LABELS[kind], count) for kind in TOKEN_KINDS if (count := getattr(request, f"{kind}_tokens"))
        ],
        units=[Pair(name.replace("_", " "), count) for name, count in request.units.items()],
        lines=_named(lines),
        sold=_named(sold),
        rule=None if is_for_customer else rule,
        breakdown=breakdown,
        adds_up=adds_up,
        price_row=None if is_for_customer else price_row,
    )
    return story if is_for_customer else _with_provider(story, request)


def _key_name(request: Request) -> str:
    if request.proxy_key_id == SENT_KEY:
        return str(SENT_LABEL)
    key = ProxyKey.objects.filter(organization_id=request.organization_id, pk=request.proxy_key_id)
    return key.values_list("name", flat=True).first() or ""


def asked_instant(text: str | None) -> datetime | None:
    """The time in a link to a request, microseconds since 1970; None where it tells none."""
    try:
        return instant(int(text or ""))
    except (ValueError, OverflowError):
        return None


def _price_row(request: Request) -> ModelPrice | None:
    if request.price_id is None:
        return None
    owners = Q(organization=None) | Q(organization=request.organization_id)
    return ModelPrice.objects.filter(owners, pk=request.price_id).first()


def _rule(request: Request) -> RateRule | None:
    return find_rule(request.organization_id, request.rate_rule_id) if request.rate_rule_id else None


def _breakdown(request: Request, price: Price | None, sale: Sale | None) -> Breakdown | None:
    """None also where nothing was charged, whatever the price."""
    if price is None or request.cost is None or (request.cost == 0 and request.result != Result.SERVED):
        return None
    units = tuple(request.units.items())
    return break_down(_tokens(request), price, request.markup_percent, units, request.service_tier, sale)


def _tokens(request: Request) -> Tokens:
    return Tokens(**{kind: getattr(request, f"{kind}_tokens") for kind in TOKEN_KINDS})


def _sold(request: Request, price: Price | None, sale: Sale) -> list[Line]:
    """Nothing where nothing was charged."""
    if not request.price:
        return []
    return sold_lines(sale, _tokens(request), price, tuple(request.units.items()), request.service_tier)


def _named(lines: list[Line]) -> list[NamedLine]:
    return [NamedLine(KIND_LABELS.get(line.name, line.name.replace("_", " ")), line) for line in lines]


def _with_provider(story: Story, request: Request) -> Story:
    attempts = request.attempts
    ids = {UUID(each["provider_key"]) for each in attempts} | {request.provider_key_id}
    keys = ProviderKey.objects.filter(organization_id=request.organization_id, pk__in=ids - {None})
    names = dict(keys.values_list("pk", "name"))
    tries = [
        AttemptRow(
            number,
            names.get(UUID(each["provider_key"]), each["provider_key"]),
            each["status"],
            each["error_code"],
            each["took_ms"],
        )
        for number, each in enumerate(attempts, start=1)
    ]
    name = names.get(request.provider_key_id, "") if request.provider_key_id else ""
    return Story(**{**vars(story), "attempts": tries, "provider_key_name": name})
