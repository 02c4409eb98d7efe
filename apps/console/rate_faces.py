"""Rate cards as the operator's pages show them."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from apps.accounts.models import Organization
from apps.pricing.card_book import default_card, told_of
from apps.pricing.models import RateCard, RateCardUse, RateCardVersion, RateRule
from apps.pricing.rating import KINDS
from apps.pricing.rules import Mode, RuleTold
from apps.usage.story import KIND_LABELS


class RuleRow(NamedTuple):
    """A rule in words."""

    match: str
    mode: str
    prices: list[str]
    bounds: list[str]


class CardRow(NamedTuple):
    """A card in the list of them."""

    card: RateCard
    version: RateCardVersion | None  # in force
    coming: RateCardVersion | None  # the next one
    customers: int  # that are on it now
    is_default: bool


def rule_rows_of(version: RateCardVersion | None) -> list[RuleRow]:
    """A version's rules, those that go first in front."""
    return [_row(told_of(row)) for row in version.rules.order_by("pk")] if version else []


def _row(rule: RuleTold) -> RuleRow:
    prices = []
    if rule.mode is Mode.COST_PLUS:
        prices.append(_("cost %(percent)s") % {"percent": _signed(rule.markup_percent or Decimal(0))})
        prices += [f"{_label(name)} {_signed(Decimal(percent))}" for name, percent in rule.markups.items()]
    kinds = [name for name in KINDS if name in rule.rates]
    prices += [_("%(kind)s $%(usd)s a million") % {"kind": _label(name), "usd": rule.rates[name]} for name in kinds]
    prices += [_("%(unit)s $%(usd)s each") % {"unit": _label(name), "usd": usd} for name, usd in rule.units.items()]
    if rule.per_request:
        prices.append(_("$%(usd)s a call") % {"usd": _plain(rule.per_request)})
    bounds = []
    if rule.floor is not None:
        bounds.append(_("at least $%(usd)s") % {"usd": _plain(rule.floor)})
    if rule.ceiling is not None:
        bounds.append(_("at most $%(usd)s") % {"usd": _plain(rule.ceiling)})
    return RuleRow(rule.match, str(RateRule.Mode(str(rule.mode)).label), prices, bounds)


def _label(name: str) -> str:
    return str(KIND_LABELS.get(name, name.replace("_", " ")))


def _signed(percent: Decimal) -> str:
    return f"{'−' if percent < 0 else '+'}{_plain(abs(percent))} %"


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def card_rows(organization: Organization, at: datetime) -> list[CardRow]:
    """All cards that customers can be put on, by name."""
    default = default_card(organization.pk, at)
    on_card = cards_of_customers(organization, at)
    rows = []
    for card in organization.rate_cards.filter(customer=None).prefetch_related("versions").order_by("name"):
        version, coming = in_force_and_next(card.versions.all(), at)
        customers = sum(1 for each in on_card.values() if each == card.pk)
        rows.append(CardRow(card, version, coming, customers, default is not None and default.pk == card.pk))
    return rows


def in_force_and_next(
    versions: Iterable[RateCardVersion], at: datetime
) -> tuple[RateCardVersion | None, RateCardVersion | None]:
    """Of a card's versions, that in force at `at` and the one after it."""
    ordered = sorted(versions, key=lambda version: version.effective_from)
    begun = [version for version in ordered if version.effective_from <= at]
    later = [version for version in ordered if version.effective_from > at]
    return begun[-1] if begun else None, later[0] if later else None


def cards_of_customers(organization: Organization, at: datetime) -> dict[Any, Any]:
    """The ids of the cards that customers were put on by hand, by those of the customers."""
    uses = RateCardUse.objects.filter(
        organization=organization, customer__isnull=False, by_plan=False, effective_from__lte=at
    ).order_by("effective_from", "pk")
    return dict(uses.values_list("customer_id", "card_id"))
