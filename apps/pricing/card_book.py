"""Rate cards as the database has them: who is sold to by which rules, and when."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q

from apps.customers.models import Customer
from apps.pricing.models import RateCard, RateCardUse, RateCardVersion, RateRule
from apps.pricing.rules import Mode, RuleTold
from apps.pricing.selling import Sale
from apps.pricing.terms import Era, RuleSet, Terms


class Layers(NamedTuple):
    """What holds for a customer at some time, that which goes first in front. None: it has none of these."""

    own: RateCardVersion | None
    card: RateCard | None
    plan_card: RateCard | None
    default: RateCard | None


def load_terms(organization_id: UUID, customer_id: UUID) -> Terms | None:
    """By which rules the customer's calls are sold, at any time; None: by none, ever."""
    return load_all_terms(organization_id, [customer_id]).get(customer_id)


def load_all_terms(organization_id: UUID, customer_ids: Iterable[UUID]) -> dict[UUID, Terms]:
    """The same of several customers, in a few queries. Those without any are left out."""
    wanted = list(customer_ids)
    uses = list(
        RateCardUse.objects.filter(Q(customer=None) | Q(customer__in=wanted), organization_id=organization_id).order_by(
            "effective_from", "pk"
        )
    )
    used = {use.card_id for use in uses if use.card_id}
    own = dict(
        RateCard.objects.filter(organization_id=organization_id, customer__in=wanted).values_list("customer_id", "pk")
    )
    if not used and not own:
        return {}
    versions: dict[UUID, list[RateCardVersion]] = {}
    for version in RateCardVersion.objects.filter(card__in=used | set(own.values())).order_by("effective_from", "pk"):
        versions.setdefault(version.card_id, []).append(version)
    found = {}
    for customer_id in wanted:
        theirs = [use for use in uses if use.customer_id in (None, customer_id)]
        if any(use.card_id for use in theirs) or customer_id in own:
            found[customer_id] = _terms(theirs, versions, own.get(customer_id))
    return found


def _terms(uses: Sequence[RateCardUse], versions: dict[UUID, list[RateCardVersion]], own_id: UUID | None) -> Terms:
    cards = {use.card_id for use in uses if use.card_id} | ({own_id} if own_id else set())
    changes = {use.effective_from for use in uses}
    changes |= {version.effective_from for card_id in cards for version in versions.get(card_id, ())}
    eras = []
    for begins_at in sorted(changes):
        slots = (own_id, *(_card_in_slot(uses, slot, begins_at) for slot in SLOTS))
        found = (_version_at(versions.get(card_id, ()), begins_at) for card_id in slots if card_id)
        layers = [rule_set(version) for version in found if version is not None]
        eras.append(Era(begins_at.timestamp(), layers))
    return Terms(eras)


# Where a card can come from, in the order in which they are asked: whether it is a customer's, and its plan's.
SLOTS = ((True, False), (True, True), (False, False))


def _card_in_slot(uses: Iterable[RateCardUse], slot: tuple[bool, bool], at: datetime) -> UUID | None:
    """uses: in the order of their dates."""
    card_id = None
    for use in uses:
        if (use.customer_id is not None, use.by_plan) == slot and use.effective_from <= at:
            card_id = use.card_id
    return card_id


def _version_at(versions: Iterable[RateCardVersion], at: datetime) -> RateCardVersion | None:
    """versions: in the order of their dates."""
    found = None
    for version in versions:
        if version.effective_from <= at:
            found = version
    return found


def version_at(card: RateCard, at: datetime) -> RateCardVersion | None:
    """The card's version that is in force at `at`."""
    return card.versions.filter(effective_from__lte=at).order_by("effective_from", "pk").last()


def layers_of(customer: Customer, at: datetime) -> Layers:
    """Which cards hold for a customer at `at`."""
    uses = list(
        RateCardUse.objects.filter(
            Q(customer=None) | Q(customer=customer), organization_id=customer.organization_id, effective_from__lte=at
        )
        .select_related("card")
        .order_by("effective_from", "pk")
    )
    cards = {use.card_id: use.card for use in uses}
    slots = [_card_in_slot(uses, slot, at) for slot in SLOTS]
    own = RateCard.objects.filter(customer=customer).first()
    by_slot = [cards[card_id] if card_id else None for card_id in slots]
    return Layers(version_at(own, at) if own else None, *by_slot)


def default_card(organization_id: UUID, at: datetime) -> RateCard | None:
    """The organization's default card at `at`."""
    uses = RateCardUse.objects.filter(organization_id=organization_id, customer=None, effective_from__lte=at)
    use = uses.select_related("card").order_by("effective_from", "pk").last()
    return use.card if use else None


def rule_set(version: RateCardVersion) -> RuleSet:
    """A version's rules, ready to be searched."""
    return _rule_set(version.pk, version.created_at)


@lru_cache(maxsize=4096)
def _rule_set(version_id: int, created_at: datetime) -> RuleSet:
    """Rules never change, so what is made of them is kept. created_at: a restored database may number anew."""
    rows = RateRule.objects.filter(version=version_id).order_by("pk")
    return RuleSet(told_of(row).rule(row.pk) for row in rows)


def told_of(row: RateRule) -> RuleTold:
    """The rule as it was told."""
    return RuleTold(
        row.match,
        Mode(row.mode),
        row.markup_percent,
        row.markups,
        row.rates,
        row.units,
        row.per_request,
        row.floor,
        row.ceiling,
    )


def find_rule(organization_id: UUID, rule_id: int) -> RateRule | None:
    """The rule of the organization's with this id."""
    rules = RateRule.objects.filter(pk=rule_id, version__card__organization_id=organization_id)
    return rules.select_related("version__card__customer").first()


def find_sale(organization_id: UUID, rule_id: int) -> Sale | None:
    """The same, ready to multiply with."""
    row = find_rule(organization_id, rule_id)
    return told_of(row).sale(row.pk) if row is not None else None
