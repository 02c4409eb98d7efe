"""Plans that the organization offers, and coupons."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.billing.queries.plans import offered_plans
from apps.billing.queries.subscriptions import subscribers
from apps.billing.services.coupons import add_coupon, retire_coupon
from apps.billing.services.plans import (
    add_plan,
    change_plan,
    newest_version,
    offer_plan,
    rename_plan,
    retire_plan,
)
from apps.billing.services.subscriptions import move_subscribers
from apps.console.plan_forms import CouponForm, PlanForms
from apps.kit.errors import Refused

PAGE = 25  # subscribers
HERE = {"section": "billing", "tab": "plans"}


@operator_page(Role.VIEWER)
def plans(request: OperatorRequest) -> HttpResponse:
    """All plans, and what they bring."""
    context = {
        **HERE,
        "rows": offered_plans(request.organization, timezone.now()),
        "coupons": request.organization.coupons.order_by("retired_at", "code"),
        "coupon_form": CouponForm(),
        "may_change": request.member.may(Role.BILLING),
    }
    return render(request, "console/plans/list.html", context)


@operator_page(Role.BILLING)
def plan_add(request: OperatorRequest) -> HttpResponse:
    """Offer a plan."""
    forms = PlanForms(request.POST or None, organization=request.organization)
    if request.method == "POST" and forms.is_valid():
        named = {name: forms.plan.cleaned_data[name] for name in ("name", "description")}
        try:
            version = add_plan(request.organization, by=request.user, at=timezone.now(), **named, **forms.terms())
        except ValidationError as error:
            forms.add_errors(error)
        else:
            messages.success(request, _("%(plan)s is offered.") % {"plan": version.plan})
            return redirect("console:plan-detail", version.plan_id)
    return render(request, "console/plans/edit.html", {**HERE, "forms": forms})


@operator_page(Role.VIEWER)
def plan_detail(request: OperatorRequest, plan_id: UUID) -> HttpResponse:
    """A plan's terms, its versions and who is on them."""
    plan = get_object_or_404(request.organization.plans, pk=plan_id)
    at = timezone.now()
    on = subscribers(request.organization, at).filter(version__plan=plan)
    newest = newest_version(plan)
    context = {
        **HERE,
        "plan": plan,
        "version": newest,
        "rate_card": request.organization.rate_cards.filter(pk=newest.rate_card_id).first(),
        "versions": plan.versions.order_by("-number"),
        "page": Paginator(on, PAGE).get_page(request.GET.get("page")),
        "behind": on.filter(ends_at=None).exclude(version=newest).count(),
        "now": at,
        "zone": request.zone,
        "may_change": request.member.may(Role.BILLING),
    }
    return render(request, "console/plans/detail.html", context)


@operator_page(Role.BILLING)
def plan_edit(request: OperatorRequest, plan_id: UUID) -> HttpResponse:
    """Other terms, as the plan's next version; its name is changed as it is."""
    plan = get_object_or_404(request.organization.plans, pk=plan_id)
    newest = newest_version(plan)
    forms = PlanForms(request.POST or None, organization=request.organization, version=newest)
    if request.method == "POST" and forms.is_valid():
        named = {name: forms.plan.cleaned_data[name] for name in ("name", "description")}
        try:
            rename_plan(plan, by=request.user, **named)
            version = change_plan(plan, by=request.user, at=timezone.now(), **forms.terms())
        except ValidationError as error:
            forms.add_errors(error)
        else:
            _tell_version(request, version.number if version.pk != newest.pk else None)
            return redirect("console:plan-detail", plan_id)
    return render(request, "console/plans/edit.html", {**HERE, "forms": forms, "plan": plan, "version": newest})


def _tell_version(request: OperatorRequest, number: int | None) -> None:
    if number is None:
        messages.success(request, _("Saved. Its terms are as they were."))
        return
    told = _("Version %(number)s is offered from now on. Who is on an earlier one stays on it until you move them.")
    messages.success(request, told % {"number": number})


@require_POST
@operator_page(Role.BILLING)
def plan_retire(request: OperatorRequest, plan_id: UUID) -> HttpResponse:
    """Let nobody new onto it."""
    plan = get_object_or_404(request.organization.plans, pk=plan_id)
    retire_plan(plan, by=request.user, at=timezone.now())
    messages.warning(request, _("Nobody new can be on %(plan)s. Who is on it stays.") % {"plan": plan})
    return redirect("console:plan-detail", plan_id)


@require_POST
@operator_page(Role.BILLING)
def plan_offer(request: OperatorRequest, plan_id: UUID) -> HttpResponse:
    """Offer it again."""
    plan = get_object_or_404(request.organization.plans, pk=plan_id)
    offer_plan(plan, by=request.user)
    messages.success(request, _("%(plan)s is offered again.") % {"plan": plan})
    return redirect("console:plan-detail", plan_id)


@require_POST
@operator_page(Role.BILLING)
def plan_move(request: OperatorRequest, plan_id: UUID) -> HttpResponse:
    """Put who is on earlier versions on the newest, each at the end of its period."""
    plan = get_object_or_404(request.organization.plans, pk=plan_id)
    try:
        moved = move_subscribers(plan, by=request.user, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        told = ngettext(
            "%(count)s customer moves when its period is over.",
            "%(count)s customers move when their periods are over.",
            moved,
        )
        messages.success(request, told % {"count": moved})
    return redirect("console:plan-detail", plan_id)


@require_POST
@operator_page(Role.BILLING)
def coupon_add(request: OperatorRequest) -> HttpResponse:
    """Make a coupon; customers get it on their own pages."""
    form = CouponForm(request.POST)
    if form.is_valid():
        try:
            coupon = add_coupon(request.organization, by=request.user, at=timezone.now(), **form.cleaned_data)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, _("%(coupon)s can be given to customers.") % {"coupon": coupon})
    else:
        messages.error(request, " ".join(message for errors in form.errors.values() for message in errors))
    return redirect("console:plans")


@require_POST
@operator_page(Role.BILLING)
def coupon_retire(request: OperatorRequest, coupon_id: UUID) -> HttpResponse:
    """Give it to nobody new."""
    coupon = get_object_or_404(request.organization.coupons, pk=coupon_id)
    retire_coupon(coupon, by=request.user, at=timezone.now())
    messages.warning(request, _("%(coupon)s is given to nobody new. Who has it keeps it.") % {"coupon": coupon})
    return redirect("console:plans")
