"""Plans: offered, changed by versions, retired. Terms are never edited: a change is the next version.

`by` is who does it: a user, or None for a command.
"""

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.billing.errors import NotPossible
from apps.billing.models import Plan, PlanVersion
from apps.billing.money import UnknownCurrency, minor_units
from apps.billing.terms import BadTerms, parse_charges, parse_free_units
from apps.kit.slugs import free_slug

TERMS = (
    "currency", "interval", "alignment", "fee", "fee_due", "settlement", "allowance", "allowance_rolls_over",
    "allowances", "charges", "minimum", "discount_percent", "trial_days", "rate_card_id",
)  # fmt: skip
Settlement = PlanVersion.Settlement


@transaction.atomic
def add_plan(
    organization: Organization, *, name: str, by: User | None, at: datetime, description: str = "", **terms: Any
) -> PlanVersion:
    """Offer a plan by `terms`, some of TERMS; those left out are what a version has by itself.

    Gives its first version. Raises ValidationError.
    """
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)  # of two of a name, one gets the slug
    plan = Plan(organization=organization, name=name.strip(), description=description.strip(), created_at=at)
    is_taken = partial(_has_plan, organization)
    plan.slug = free_slug(plan.name, is_taken=is_taken, otherwise="plan")
    plan.full_clean()
    plan.save(force_insert=True)
    version = _next_version(plan, terms, at)
    changes = audit.difference({}, {"name": plan.name} | _told(version))
    audit.record(organization, "plan.add", plan, actor=by, changes=changes)
    return version


@transaction.atomic
def change_plan(plan: Plan, *, by: User | None, at: datetime, **terms: Any) -> PlanVersion:
    """Offer the plan by other terms from now on, as its next version; terms left out stay as they are.

    Whoever is on an earlier version stays on it: see `move_subscribers`. Terms that are those of the newest
    version already make no other; that one is given. Raises ValidationError.
    """
    plan = lock(plan)
    newest = newest_version(plan)
    version = _next_version(plan, _terms_of(newest) | terms, at, before=newest)
    if version.pk != newest.pk:
        changes = audit.difference(_told(newest), _told(version))
        audit.record(plan.organization, "plan.change", plan, actor=by, changes=changes)
    return version


@transaction.atomic
def rename_plan(plan: Plan, *, name: str, description: str, by: User | None) -> Plan:
    """What it is called, which is not among its terms: it holds for all versions. Raises ValidationError."""
    plan = lock(plan)
    before = audit.fields_of(plan, ("name", "description"))
    plan.name, plan.description = name.strip(), description.strip()
    plan.full_clean()
    if difference := audit.difference(before, audit.fields_of(plan, ("name", "description"))):
        plan.save(update_fields=[*difference])
        audit.record(plan.organization, "plan.rename", plan, actor=by, changes=difference)
    return plan


@transaction.atomic
def retire_plan(plan: Plan, *, by: User | None, at: datetime) -> Plan:
    """Let nobody new onto it; who is on it stays. One that is retired stays so."""
    plan = lock(plan)
    if plan.retired_at is None:
        _set_retired(plan, at, "plan.retire", by=by)
    return plan


@transaction.atomic
def offer_plan(plan: Plan, *, by: User | None) -> Plan:
    """Offer a plan again that was retired."""
    plan = lock(plan)
    if plan.retired_at is not None:
        _set_retired(plan, None, "plan.offer", by=by)
    return plan


def newest_version(plan: Plan) -> PlanVersion:
    """By which it is offered."""
    return plan.versions.select_related("plan").latest("number")


def lock(plan: Plan) -> Plan:
    """The plan as it is now, one transaction at a time."""
    return Plan.objects.select_for_update(no_key=True, of=("self",)).select_related("organization").get(pk=plan.pk)


def check_terms(version: PlanVersion) -> None:
    """What no field sees by itself. Raises ValidationError."""
    wrong: dict[str, str] = {}
    try:
        minor_units(version.currency)
    except UnknownCurrency:
        wrong["currency"] = _("There is no such currency in use.")
    for field, parse in (("charges", parse_charges), ("allowances", parse_free_units)):
        try:
            names = [each.name for each in parse(getattr(version, field))]
        except BadTerms as error:
            wrong[field] = str(error)
        else:
            if len(set(names)) < len(names):
                wrong[field] = _("Two have the same name: give each its own, so that invoices tell them apart.")
    if version.charges and version.settlement == Settlement.PREPAID:
        wrong["settlement"] = _(
            "Tiers price a whole period, and credit is drawn call by call: with tiers, let usage be on the invoice."
        )
    cards = version.plan.organization.rate_cards.filter(customer=None)
    if version.rate_card_id is not None and not cards.filter(pk=version.rate_card_id).exists():
        wrong["rate_card_id"] = _("There is no such rate card.")
    if wrong:
        raise ValidationError(wrong)


def _next_version(plan: Plan, terms: dict[str, Any], at: datetime, *, before: PlanVersion | None = None) -> PlanVersion:
    if unknown := terms.keys() - set(TERMS):
        raise TypeError(f"not among a plan's terms: {', '.join(sorted(unknown))}")
    version = PlanVersion(plan=plan, number=before.number + 1 if before else 1, created_at=at, **terms)
    version.full_clean(exclude=["plan", "charges", "allowances"], validate_unique=False)
    check_terms(version)
    if before is not None and _terms_of(before) == _terms_of(version):
        return before
    version.save(force_insert=True)
    return version


def _terms_of(version: PlanVersion) -> dict[str, Any]:
    return {name: getattr(version, name) for name in TERMS}


def _told(version: PlanVersion) -> dict[str, audit.Value]:
    """As the audit log has it: lists as text."""
    told = {name: str(value) if isinstance(value, list) else value for name, value in _terms_of(version).items()}
    return {"version": version.number} | {name: _short(value) for name, value in told.items()}


def _short(value: Any) -> audit.Value:
    return value.normalize() + 0 if isinstance(value, Decimal) else value


def _has_plan(organization: Organization, slug: str) -> bool:
    return organization.plans.filter(slug=slug).exists()


def _set_retired(plan: Plan, at: datetime | None, action: str, *, by: User | None) -> None:
    before, plan.retired_at = plan.retired_at, at
    plan.save(update_fields=["retired_at"])
    audit.record(plan.organization, action, plan, actor=by, changes={"retired_at": (before, at)})


def refuse_retired(plan: Plan) -> None:
    """Raises NotPossible where nobody new may be on the plan, as the database has it now."""
    if Plan.objects.filter(pk=plan.pk, retired_at__isnull=False).exists():
        raise NotPossible(_("%(plan)s is retired: offer it again first, or choose another.") % {"plan": plan})
