"""Rate cards: what customers pay, by model; each change is a new version from a date on."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.console.rate_faces import card_rows, cards_of_customers, in_force_and_next, rule_rows_of
from apps.console.rate_forms import RateCardNameForm, TryForm, UseForm, VersionForm, rule_rows
from apps.customers.models import Customer
from apps.pricing.card_book import told_of
from apps.pricing.models import RateCard, RateCardVersion
from apps.pricing.rate_cards import (
    add_rate_card,
    delete_rate_card,
    rename_rate_card,
    set_rates,
    use_rate_card,
    withdraw_rates,
)
from apps.pricing.rules import RuleTold
from apps.usage.queries import named_period
from apps.usage.rate_preview import Preview, preview_card, preview_own

PAGE = 50
SECTION = {"section": "rate-cards"}


@operator_page(Role.BILLING)
def rate_cards(request: OperatorRequest) -> HttpResponse:
    """All cards, and which of them is the default."""
    at = timezone.now()
    rows = card_rows(request.organization, at)
    default = next((row.card for row in rows if row.is_default), None)
    context = {
        "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
        "default": default,
        "default_form": _default_form(request, at, initial={"card": default}),
        "coming": request.organization.rate_card_uses.filter(customer=None, effective_from__gt=at)
        .select_related("card")
        .order_by("effective_from"),
    }
    return render(request, "console/rate_cards/list.html", SECTION | context)


@require_POST
@operator_page(Role.BILLING)
def rate_card_default(request: OperatorRequest) -> HttpResponse:
    """Which card holds for customers that are on none."""
    form = _default_form(request, timezone.now(), request.POST)
    if form.is_valid() and _tried(request, form, lambda: _use(request, None, **form.cleaned_data)):
        messages.success(request, _("Saved."))
        return redirect("console:rate-cards")
    for errors in form.errors.values():
        messages.error(request, " ".join(map(str, errors)))
    return redirect("console:rate-cards")


@operator_page(Role.BILLING)
def rate_card_add(request: OperatorRequest) -> HttpResponse:
    """A new card, with its first rules."""

    def save(rules: Iterable[RuleTold], **told: Any) -> RateCard:
        return add_rate_card(request.organization, rules=[rule.as_told() for rule in rules], by=request.user, **told)

    return edit_rates(request, Edited(None, None, [], save))


@operator_page(Role.BILLING)
def rate_card_detail(request: OperatorRequest, card_id: UUID) -> HttpResponse:
    """A card: its rules, its versions, and who is on it."""
    card, at = _card(request, card_id), timezone.now()
    versions = list(card.versions.select_related("created_by").order_by("-effective_from"))
    in_force, _coming = in_force_and_next(versions, at)
    shown = _asked_version(request, versions) or in_force or (versions[-1] if versions else None)
    on_card = [key for key, used in cards_of_customers(request.organization, at).items() if used == card.pk]
    context = {
        "card": card,
        "versions": versions,
        "in_force": in_force,
        "shown": shown,
        "now": at,
        "rules": rule_rows_of(shown),
        "customers": Paginator(request.organization.customers.filter(pk__in=on_card).order_by("name"), PAGE).get_page(
            request.GET.get("page")
        ),
        "is_used": card.uses.exists(),
        "name_form": RateCardNameForm(instance=card),
    }
    return render(request, "console/rate_cards/detail.html", SECTION | context)


@operator_page(Role.BILLING)
def rate_card_edit(request: OperatorRequest, card_id: UUID) -> HttpResponse:
    """A new version, which begins as the newest one."""
    card = _card(request, card_id)

    def save(rules: Iterable[RuleTold], **told: Any) -> RateCard:
        set_rates(card, rules=[rule.as_told() for rule in rules], by=request.user, **told)
        return card

    return edit_rates(request, Edited(card, card.customer, newest_rules(card), save))


@require_POST
@operator_page(Role.BILLING)
def rate_card_rename(request: OperatorRequest, card_id: UUID) -> HttpResponse:
    """Give the card another name."""
    card = _card(request, card_id)
    form = RateCardNameForm(request.POST, instance=card)
    name = request.POST.get("name", "")
    if _tried(request, form, lambda: rename_rate_card(_card(request, card_id), name=name, by=request.user)):
        messages.success(request, _("Saved."))
    for error in form.non_field_errors():
        messages.error(request, error)
    return redirect("console:rate-card-detail", card_id)


@require_POST
@operator_page(Role.BILLING)
def rate_card_withdraw(request: OperatorRequest, card_id: UUID) -> HttpResponse:
    """Take back a version that has not begun."""
    card = _card(request, card_id)
    version = _numbered(card.versions.all(), request.POST.get("version"))
    if version is None:
        messages.error(request, _("There is no such version any more."))
        return redirect("console:rate-card-detail", card_id)
    try:
        withdraw_rates(version, by=request.user, at=timezone.now())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.warning(request, _("Version %(number)d was taken back.") % {"number": version.number})
    return redirect("console:rate-card-detail", card_id)


@require_POST
@operator_page(Role.BILLING)
def rate_card_delete(request: OperatorRequest, card_id: UUID) -> HttpResponse:
    """Remove a card that nobody was ever on."""
    card = _card(request, card_id)
    try:
        delete_rate_card(card, by=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("console:rate-card-detail", card_id)
    messages.warning(request, _("%(name)s is gone.") % {"name": card})
    return redirect("console:rate-cards")


class Edited(NamedTuple):
    """What the editor of rules is about."""

    card: RateCard | None  # None: it is new
    customer: Customer | None  # whose own rates they are
    rules: list[RuleTold]  # that it begins with
    save: Callable[..., RateCard]


def edit_rates(request: OperatorRequest, edited: Edited) -> HttpResponse:
    """The editor of rules: saves them as a new version, or tries them out on a customer's requests."""
    at, data = timezone.now(), request.POST if request.method == "POST" else None
    is_new = edited.card is None and edited.customer is None
    rows = rule_rows(data, edited.rules)
    form = VersionForm(data, zone=request.zone, at=at, is_new_card=is_new)
    trial = TryForm(data, organization=request.organization, customer=edited.customer)
    found = None
    if data is not None and ("preview" in data or "more_rows" in data):
        form = VersionForm(initial=data.dict(), zone=request.zone, at=at, is_new_card=is_new)
        if "preview" in data and rows.is_valid() and trial.is_valid():
            found = _previewed(request, edited, rows.rules, trial, at)
    elif data is not None and rows.is_valid() and form.is_valid():
        told = form.cleaned_data
        if card := _tried(request, form, lambda: edited.save(rows.rules, **told)):
            messages.success(request, _("Saved. It holds for the next call from then on."))
            if card.customer_id is not None:
                return redirect("console:customer-rates", card.customer_id)
            return redirect("console:rate-card-detail", card.pk)
    context = {"edited": edited, "rows": rows, "form": form, "trial": trial, "preview": found}
    return render(request, "console/rate_cards/edit.html", SECTION | context)


def _previewed(
    request: OperatorRequest, edited: Edited, rules: list[RuleTold], trial: TryForm, at: datetime
) -> tuple[Customer, Preview] | None:
    """None, with a word on the form, where nobody was chosen."""
    customer = edited.customer or trial.cleaned_data["customer"]
    if customer is None:
        trial.add_error("customer", _("Choose a customer whose requests are priced."))
        return None
    period = named_period(trial.cleaned_data["period"] or "last_month", at, request.zone)
    preview = preview_own if edited.customer else preview_card
    return customer, preview(customer, rules, period, at=at)


def newest_rules(card: RateCard | None) -> list[RuleTold]:
    """Those of the version that was made last."""
    version = card.versions.order_by("number").last() if card else None
    return [told_of(row) for row in version.rules.order_by("pk")] if version else []


def _card(request: OperatorRequest, card_id: UUID) -> RateCard:
    cards = request.organization.rate_cards.select_related("customer__organization")
    return get_object_or_404(cards, pk=card_id)


def _asked_version(request: OperatorRequest, versions: list[RateCardVersion]) -> RateCardVersion | None:
    """Raises Http404 for one that is none of these."""
    asked = request.GET.get("version")
    found = _numbered(versions, asked)
    if asked and found is None:
        raise Http404
    return found


def _numbered(versions: Iterable[RateCardVersion], number: str | None) -> RateCardVersion | None:
    return next((version for version in versions if str(version.number) == number), None)


def _default_form(request: OperatorRequest, at: datetime, data: Any = None, **kwargs: Any) -> UseForm:
    empty = _("none: cost with the markup")
    return UseForm(data, organization=request.organization, zone=request.zone, at=at, empty=empty, **kwargs)


def _use(
    request: OperatorRequest, customer: Customer | None, *, card: RateCard | None, effective_from: datetime
) -> bool:
    use_rate_card(request.organization, customer, card, effective_from=effective_from, by=request.user)
    return True


def _tried(request: OperatorRequest, form: Any, action: Callable[[], Any]) -> Any:
    """What the action gives; None where it refused, which the form then tells."""
    try:
        return action()
    except ValidationError as error:
        known = {name: told for name, told in getattr(error, "message_dict", {}).items() if name in form.fields}
        for name, told in known.items():
            form.add_error(name, told)
        if not known:
            form.add_error(None, error.messages)
        return None
