"""What changes rate cards, and who is on them. The database tells the proxies.

Nothing is edited: a card gets a new version from a date on, a customer another card. What was charged before keeps the
rule that it was charged by.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.customers.models import Customer
from apps.pricing.models import RateCard, RateCardUse, RateCardVersion, RateRule
from apps.pricing.rules import BadRules, RuleTold, clean_rules

Told = Sequence[Mapping[str, Any]]


@transaction.atomic
def add_rate_card(
    organization: Organization,
    *,
    name: str,
    rules: Told,
    effective_from: datetime,
    by: User | None,
    note: str = "",
) -> RateCard:
    """A card that customers can be put on, with its first version. Raises ValidationError, nothing changed."""
    card = RateCard(organization=organization, name=name.strip())
    card.full_clean()
    card.save(force_insert=True)
    audit.record(organization, "rate_card.add", card, actor=by, changes={"name": (None, card.name)})
    set_rates(card, rules=rules, effective_from=effective_from, by=by, note=note)
    return card


@transaction.atomic
def rename_rate_card(card: RateCard, *, name: str, by: User | None) -> RateCard:
    """Raises ValidationError, nothing changed."""
    card = _locked(card)
    before, card.name = card.name, name.strip()
    card.full_clean()
    if card.name != before:
        card.save(update_fields=["name"])
        audit.record(card.organization, "rate_card.update", card, actor=by, changes={"name": (before, card.name)})
    return card


@transaction.atomic
def set_rates(
    card: RateCard, *, rules: Told, effective_from: datetime, by: User | None, note: str = ""
) -> RateCardVersion:
    """A new version of the card from an instant on.

    rules: as rules.py has them; none at all: nothing is sold by the card any more. Requests that were priced before
    keep their price. Raises ValidationError, nothing changed.
    """
    try:
        cleaned = clean_rules(rules)
    except BadRules as error:
        raise ValidationError({"rules": str(error)}) from None
    card = _locked(card)
    before = card.versions.order_by("number").last()
    try:
        with transaction.atomic():
            version = card.versions.create(
                number=before.number + 1 if before else 1, effective_from=effective_from, note=note, created_by=by
            )
    except IntegrityError as error:
        message = _("There is a version of this card from that very instant already.")
        raise ValidationError({"effective_from": message}) from error
    RateRule.objects.bulk_create([_row(version, rule) for rule in cleaned])
    changes: audit.Changes = {
        "version": (before.number if before else None, version.number),
        "effective_from": (None, effective_from),
        "rules": (before.rules.count() if before else None, len(cleaned)),
    }
    audit.record(card.organization, "rate_card.set_rates", card, actor=by, changes=changes)
    return version


@transaction.atomic
def set_own_rates(
    customer: Customer, *, rules: Told, effective_from: datetime, by: User | None, note: str = ""
) -> RateCardVersion:
    """A customer's own rates, which go before those of any card. Raises ValidationError, nothing changed."""
    card, _made = RateCard.objects.get_or_create(customer=customer, organization=customer.organization)
    return set_rates(card, rules=rules, effective_from=effective_from, by=by, note=note)


@transaction.atomic
def withdraw_rates(version: RateCardVersion, *, by: User | None, at: datetime) -> None:
    """Take back a version that has not begun. Raises ValidationError for one that has: requests may go by it."""
    card = _locked(version.card)
    if version.effective_from <= at:
        raise ValidationError(_("This version has begun. Make a new one instead."))
    changes: audit.Changes = {"version": (version.number, None)}
    audit.record(card.organization, "rate_card.withdraw_rates", card, actor=by, changes=changes)
    version.delete()


@transaction.atomic
def use_rate_card(
    organization: Organization,
    customer: Customer | None,
    card: RateCard | None,
    *,
    effective_from: datetime,
    by: User | None,
    by_plan: bool = False,
) -> RateCardUse:
    """Put a customer on a card from an instant on; on none: it is sold to by the default card again.

    customer: None makes it the organization's default. by_plan: a plan does, whose card comes after one that the
    customer was put on by hand. Said again, it changes nothing. Raises ValidationError, nothing changed.
    """
    Organization.objects.select_for_update(of=("self",)).get(pk=organization.pk)
    owner = customer.organization_id if customer else organization.pk
    if owner != organization.pk or (card is not None and card.organization_id != organization.pk):
        raise ValidationError(_("There is no such rate card."))
    if card is not None and card.customer_id is not None:
        raise ValidationError(_("A customer's own rates are nobody else's."))
    slot = RateCardUse.objects.filter(organization=organization, customer=customer, by_plan=by_plan)
    before = slot.filter(effective_from__lte=effective_from).order_by("effective_from", "pk").last()
    if (before.card_id if before else None) == (card.pk if card else None) and before is not None:
        return before
    if before is not None and before.effective_from == effective_from:
        raise ValidationError(_("Another card is set from that very instant already."))
    use = slot.create(
        organization=organization,
        customer=customer,
        by_plan=by_plan,
        card=card,
        effective_from=effective_from,
        created_by=by,
    )
    changes: audit.Changes = {
        "rate_card": (str(before.card) if before and before.card else None, str(card) if card else None),
        "effective_from": (None, effective_from),
    }
    audit.record(organization, "rate_card.use", customer or organization, actor=by, changes=changes)
    return use


@transaction.atomic
def delete_rate_card(card: RateCard, *, by: User | None) -> None:
    """Raises ValidationError for one that anybody was ever on: what was sold by it keeps its rules."""
    card = _locked(card)
    if card.uses.exists():
        raise ValidationError(_("Customers are, or were, on this card. Set rates that sell nothing instead."))
    audit.record(card.organization, "rate_card.delete", card, actor=by, changes={"name": (card.name, None)})
    card.delete()


def _locked(card: RateCard) -> RateCard:
    """Versions are numbered by one transaction at a time."""
    return RateCard.objects.select_for_update(of=("self",)).select_related("organization", "customer").get(pk=card.pk)


def _row(version: RateCardVersion, rule: RuleTold) -> RateRule:
    return RateRule(
        version=version,
        match=rule.match,
        mode=str(rule.mode),
        markup_percent=rule.markup_percent,
        markups=dict(rule.markups),
        rates=dict(rule.rates),
        units=dict(rule.units),
        per_request=rule.per_request,
        floor=rule.floor,
        ceiling=rule.ceiling,
    )
