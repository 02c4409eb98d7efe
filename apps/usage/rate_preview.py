"""What a customer's requests would have cost it under other rates: each is priced again, and nothing is changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from django.db.models import Q

from apps.customers.models import Customer
from apps.pricing.book import as_price
from apps.pricing.card_book import layers_of, rule_set, version_at
from apps.pricing.models import ModelPrice
from apps.pricing.rating import Price, Tokens, rate
from apps.pricing.rules import RuleTold
from apps.pricing.selling import sell
from apps.pricing.terms import Era, RuleSet
from apps.usage.models import TOKEN_KINDS, Request, Result
from apps.usage.queries import Scope, totals
from apps.usage.queries.periods import Period

MOST = 20_000  # requests that are priced again, while somebody waits for the page


@dataclass
class Sums:
    """Of some requests, in USD: what they cost, were charged, and would have been."""

    requests: int = 0
    cost: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    would_be: Decimal = Decimal(0)
    unknown: int = 0  # that would have no price: nobody knows their cost

    @property
    def difference(self) -> Decimal:
        return self.would_be - self.price

    @property
    def margin(self) -> Decimal:
        """That would have been left."""
        return self.would_be - self.cost


@dataclass
class Preview:
    """Sums by model, as the customer knows it, and of all. The newest of the period, where they were too many."""

    period: Period
    total: Sums = field(default_factory=Sums)
    models: dict[str, Sums] = field(default_factory=dict)
    all_requests: int = 0  # of the period, by the roll-ups
    all_price: Decimal = Decimal(0)

    @property
    def is_partial(self) -> bool:
        return self.total.requests >= MOST

    @property
    def all_would_be(self) -> Decimal | None:
        """What all of the period would have come to, if the others are like those; None: not to be told."""
        if not self.is_partial or not self.total.price:
            return None
        return (self.all_price * self.total.would_be / self.total.price).quantize(Decimal("0.01"))

    def rows(self) -> list[tuple[str, Sums]]:
        """By model, those that change most in front."""
        return sorted(self.models.items(), key=lambda pair: (-abs(pair[1].difference), pair[0]))


def preview_card(customer: Customer, rules: Iterable[RuleTold], period: Period, *, at: datetime) -> Preview:
    """As if the customer were on a card with these rules, its own rates before it and the default card after it."""
    own, _card, _plan_card, default = layers_of(customer, at)
    return _preview(customer, [own and rule_set(own), _made(rules), _in_force(default, at)], period)


def preview_own(customer: Customer, rules: Iterable[RuleTold], period: Period, *, at: datetime) -> Preview:
    """As if these were the customer's own rates, on the cards that it is on."""
    _own, card, plan_card, default = layers_of(customer, at)
    cards = [_in_force(each, at) for each in (card, plan_card, default)]
    return _preview(customer, [_made(rules), *cards], period)


def _made(rules: Iterable[RuleTold]) -> RuleSet:
    return RuleSet(rule.rule() for rule in rules)


def _in_force(card: Any, at: datetime) -> RuleSet | None:
    version = version_at(card, at) if card else None
    return rule_set(version) if version else None


def _preview(customer: Customer, layers: Sequence[RuleSet | None], period: Period) -> Preview:
    of_all = totals(Scope(customer.organization_id, *period, customer_id=customer.pk))
    preview = Preview(period, all_requests=of_all.requests, all_price=of_all.price)
    reckoner = _Reckoner(customer, Era(0, [layer for layer in layers if layer is not None]))
    for row in _rows(customer, period):
        asked = _Asked(*row[: len(_Asked._fields)])
        would_be = reckoner.price(asked, Tokens(*row[len(_Asked._fields) :]))
        of_model = preview.models.setdefault(asked.alias or asked.model_served or asked.model, Sums())
        for sums in (preview.total, of_model):
            _add(sums, asked.cost, asked.price, would_be)
    return preview


class _Asked(NamedTuple):
    """A request, but for its tokens."""

    started_at: datetime
    provider: str
    model: str
    model_served: str
    alias: str | None
    result: int
    price_id: int | None
    cost: Decimal | None
    price: Decimal | None
    units: dict[str, int]
    service_tier: str


class _Reckoner:
    """Prices a customer's requests by the rules of one time."""

    def __init__(self, customer: Customer, era: Era) -> None:
        self._era = era
        self._markup = customer.effective_markup_percent
        self._owners = Q(organization=None) | Q(organization=customer.organization_id)
        self._price_of = cache(self._find_price)

    def price(self, asked: _Asked, tokens: Tokens) -> Decimal | None:
        """None: nobody knows."""
        if asked.result != Result.SERVED and not tokens.total and not asked.units:
            return Decimal(0)
        held = self._price_of(asked.price_id) if asked.price_id else None
        if held is None and asked.cost == 0:
            return Decimal(0)  # nobody is charged for it, such as for counting tokens
        held = held and held.at(asked.started_at.timestamp())
        units = tuple(asked.units.items())
        model = asked.model.removeprefix(f"{asked.provider}/") or asked.model_served
        sale = self._era.sale(asked.provider, model, asked.alias)
        if sale is not None:
            sold = sell(sale, tokens, held, units, asked.service_tier)
            return sold.price if sold else None
        return rate(tokens, held, self._markup, units, asked.service_tier).price if held else None

    def _find_price(self, price_id: int) -> Price | None:
        row = ModelPrice.objects.filter(self._owners, pk=price_id).first()
        return as_price(row) if row else None


def _add(sums: Sums, cost: Decimal | None, price: Decimal | None, would_be: Decimal | None) -> None:
    sums.requests += 1
    sums.cost += cost or 0
    sums.price += price or 0
    sums.would_be += would_be or 0
    sums.unknown += would_be is None


def _rows(customer: Customer, period: Period) -> Iterable[tuple[Any, ...]]:
    rows = Request.objects.filter(
        organization_id=customer.organization_id,
        customer_id=customer.pk,
        started_at__gte=period.since,
        started_at__lt=period.until,
    ).exclude(result__in=[Result.REFUSED, Result.UNFINISHED])
    kinds = (f"{kind}_tokens" for kind in TOKEN_KINDS)
    return rows.order_by("-started_at").values_list(*_Asked._fields, *kinds)[:MOST].iterator()
