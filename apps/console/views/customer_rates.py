"""What one customer pays: the rate card that it is on, and rates of its own."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.console.rate_faces import rule_rows_of
from apps.console.rate_forms import UseForm
from apps.console.views.rate_cards import Edited, edit_rates, newest_rules
from apps.pricing.card_book import layers_of
from apps.pricing.models import RateCard
from apps.pricing.rate_cards import set_own_rates, use_rate_card
from apps.pricing.rules import RuleTold

SECTION = {"section": "customers"}


@operator_page(Role.BILLING)
def customer_rates(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """What holds for the customer, in the order in which it is looked for, and what is to come."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    at = timezone.now()
    own, card, plan_card, default = layers_of(customer, at)
    uses = customer.rate_card_uses.filter(by_plan=False).select_related("card", "created_by")
    context = {
        "customer": customer,
        "own": own,
        "own_card": RateCard.objects.filter(customer=customer).first(),
        "own_rules": rule_rows_of(own),
        "card": card,
        "plan_card": plan_card,
        "default": default,
        "markup": customer.effective_markup_percent,
        "uses": uses.order_by("-effective_from"),
        "form": _form(request, initial={"card": card}),
        "now": at,
    }
    return render(request, "console/customers/rates.html", SECTION | context)


@require_POST
@operator_page(Role.BILLING)
def customer_rate_card(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Put the customer on a card, or on none."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    form = _form(request, request.POST)
    if form.is_valid():
        try:
            use_rate_card(request.organization, customer, by=request.user, **form.cleaned_data)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, _("Saved. It holds for the next call from then on."))
    for errors in form.errors.values():
        messages.error(request, " ".join(map(str, errors)))
    return redirect("console:customer-rates", customer_id)


@operator_page(Role.BILLING)
def customer_rates_edit(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """The customer's own rates, as a new version."""
    customer = get_object_or_404(request.organization.customers.select_related("organization"), pk=customer_id)
    card = RateCard.objects.filter(customer=customer).first()

    def save(rules: Iterable[RuleTold], **told: Any) -> RateCard:
        return set_own_rates(customer, rules=[rule.as_told() for rule in rules], by=request.user, **told).card

    return edit_rates(request, Edited(card, customer, newest_rules(card), save))


def _form(request: OperatorRequest, data: Any = None, **kwargs: Any) -> UseForm:
    empty = _("none: your default card")
    return UseForm(data, organization=request.organization, zone=request.zone, at=timezone.now(), empty=empty, **kwargs)
