"""The plan that a customer is on: begun, changed, ended, and what its last months would cost on any."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.billing.charges import Kind
from apps.billing.errors import NotConfigured
from apps.billing.models import AppliedCoupon, InvoiceLine, PlanVersion, Subscription
from apps.billing.periods import Period, months_later
from apps.billing.queries.plans import current_versions
from apps.billing.queries.simulation import Simulation, Used, last_month, month_of, simulate, usage_of
from apps.billing.queries.standing import Standing, standing_of
from apps.billing.queries.subscriptions import next_subscription, period_of, subscription_at, subscriptions_of
from apps.billing.services.coupons import apply_coupon, remove_coupon
from apps.billing.services.subscriptions import (
    change_subscription,
    end_subscription,
    keep_subscription,
    subscribe,
)
from apps.console.plan_forms import ChangeForm, SubscribeForm
from apps.customers.models import Customer
from apps.kit.errors import Refused

MONTHS = 12  # back, for the simulator
HERE = {"section": "customers"}


@operator_page(Role.VIEWER)
def customer_plan(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """The customer's plan, what is to follow it, its coupons, and what it was on."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    at = timezone.now()
    current, following = subscription_at(customer, at), next_subscription(customer, at)
    offered = request.organization.plans.filter(retired_at=None).exists()
    held = customer.coupons.filter(removed_at=None).exclude(periods_left=0).select_related("coupon")
    context = {
        **HERE,
        "customer": customer,
        "current": current,
        "period": period_of(current, at) if current else None,
        "standing": _standing(current, at) if current else None,
        "rate_card": current and request.organization.rate_cards.filter(pk=current.version.rate_card_id).first(),
        "following": following,
        "last": current or following,  # that a change is of
        "history": [row for row in subscriptions_of(customer) if row not in (current, following)],
        "form": _form(request, current or following) if offered else None,
        "coupons": held.order_by("created_at"),
        "free_coupons": request.organization.coupons.filter(retired_at=None).exclude(applied__in=held).order_by("code"),
        "now": at,
        "zone": request.zone,
        "may_change": request.member.may(Role.BILLING),
    }
    return render(request, "console/plans/customer.html", context)


def _standing(current: Subscription, at: datetime) -> Standing | None:
    """None: its currency has no exchange rate yet."""
    try:
        return standing_of(current, at)
    except NotConfigured:
        return None


def _form(request: OperatorRequest, current: Subscription | None) -> SubscribeForm | ChangeForm:
    if current is None:
        return SubscribeForm(organization=request.organization)
    return ChangeForm(organization=request.organization)


@require_POST
@operator_page(Role.BILLING)
def customer_subscribe(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Put the customer on a plan."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    form = SubscribeForm(request.POST, organization=request.organization)
    if not form.is_valid():
        messages.error(request, " ".join(message for errors in form.errors.values() for message in errors))
        return redirect("console:customer-plan", customer_id)
    try:
        subscription = subscribe(customer, by=request.user, at=timezone.now(), **form.cleaned_data)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        told = _("%(customer)s is on %(plan)s from %(day)s on.")
        messages.success(request, told % _told(customer, subscription, request))
    return redirect("console:customer-plan", customer_id)


@require_POST
@operator_page(Role.BILLING)
def customer_plan_change(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Put the customer on another plan, today or when the period is over."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    subscription, form = _shown(request, customer), ChangeForm(request.POST, organization=request.organization)
    if subscription is None or not form.is_valid():
        messages.error(request, _("The plan was changed meanwhile: look again."))
        return redirect("console:customer-plan", customer_id)
    version, at_end = form.cleaned_data["version"], form.cleaned_data["when"] == "end"
    try:
        follows = change_subscription(subscription, version, by=request.user, at=timezone.now(), at_period_end=at_end)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("%(customer)s is on %(plan)s from %(day)s on.") % _told(customer, follows, request))
    return redirect("console:customer-plan", customer_id)


@require_POST
@operator_page(Role.BILLING)
def customer_plan_end(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Let the customer be on no plan, after today or when the period is over."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    at_end, subscription = request.POST.get("when") != "now", _shown(request, customer)
    try:
        if subscription is None:
            raise Refused(_("The plan was changed meanwhile: look again."))
        end_subscription(subscription, by=request.user, at=timezone.now(), at_period_end=at_end)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        told = _("%(customer)s leaves %(plan)s.")
        messages.warning(request, told % {"customer": customer, "plan": subscription.version.plan})
    return redirect("console:customer-plan", customer_id)


@require_POST
@operator_page(Role.BILLING)
def customer_plan_keep(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Undo an end or a change to come."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    subscription = _shown(request, customer)
    try:
        if subscription is None:
            raise Refused(_("The plan was changed meanwhile: look again."))
        keep_subscription(subscription, by=request.user, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        told = _("%(customer)s stays on %(plan)s.")
        messages.success(request, told % {"customer": customer, "plan": subscription.version.plan})
    return redirect("console:customer-plan", customer_id)


@require_POST
@operator_page(Role.BILLING)
def customer_coupon_add(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Give the customer a coupon."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    coupon = request.organization.coupons.filter(code=request.POST.get("code", "")).first()
    try:
        if coupon is None:
            raise Refused(_("There is no such coupon any more."))
        apply_coupon(customer, coupon, by=request.user, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("%(coupon)s holds from the next invoice on.") % {"coupon": coupon})
    return redirect("console:customer-plan", customer_id)


@require_POST
@operator_page(Role.BILLING)
def customer_coupon_remove(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Take a coupon from the customer."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    held = AppliedCoupon.objects.filter(customer=customer, coupon__code=request.POST.get("code", ""), removed_at=None)
    for applied in held.select_related("coupon", "customer__organization"):
        remove_coupon(applied, by=request.user, at=timezone.now())
        messages.warning(request, _("%(coupon)s is gone.") % {"coupon": applied.coupon})
    return redirect("console:customer-plan", customer_id)


@operator_page(Role.VIEWER)
def customer_plan_simulate(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """A month of the customer's on each plan, and one of them in lines."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    month = _month(request)
    used = usage_of(customer, month)
    current = subscription_at(customer, timezone.now())
    versions = current_versions(request.organization)
    if current and current.version not in versions:
        versions.append(current.version)
    rows, problems = _simulated(customer, versions, month, used)
    chosen = next((row for row in rows if str(row.version.pk) == request.GET.get("plan")), None)
    first = last_month(timezone.now(), month.zone_name).first
    shown = chosen or next((row for row in rows if current and row.version == current.version), None)
    context = {
        **HERE,
        "customer": customer,
        "month": month,
        "months": [months_later(first, 1 - back) for back in range(MONTHS)],
        "used": used,
        "rows": sorted(rows, key=lambda row: (row.version.plan.name, row.version.number)),
        "chosen": shown,
        "lines": _lines(shown) if shown else [],
        "current": current,
        "problems": problems,
    }
    return render(request, "console/plans/simulate.html", context)


def _simulated(
    customer: Customer, versions: list[PlanVersion], month: Period, used: Used
) -> tuple[list[Simulation], list[str]]:
    rows, problems = [], []
    for version in versions:
        try:
            rows.append(simulate(customer, version, month, used))
        except Refused as refusal:  # a plan in a currency without an exchange rate
            problems.append(f"{version.plan}: {refusal}")
    return rows, problems


def _lines(simulation: Simulation) -> list[dict[str, object]]:
    """Ready to show: with what kind of line it is, and its amount in whole cents."""
    pairs = zip(simulation.charges.lines, simulation.totals.lines, strict=True)
    return [
        {
            "name": line.name or simulation.version.plan.name,
            "label": InvoiceLine.Kind(line.kind.value).label,
            "quantity": None if line.kind is Kind.FEE else line.quantity,
            "unit": line.unit.replace("_", " "),
            "amount": total.amount,
        }
        for line, total in pairs
    ]


def _month(request: OperatorRequest) -> Period:
    """The one that is asked for, else the last that is over."""
    zone = request.organization.time_zone
    try:
        day = parse_date(f"{request.GET.get('month', '')}-01")
    except ValueError:
        day = None
    return month_of(day, zone) if day else last_month(timezone.now(), zone)


def _shown(request: OperatorRequest, customer: Customer) -> Subscription | None:
    """The subscription that the form was shown for, if it is the customer's still."""
    found = subscriptions_of(customer)
    try:
        return found.filter(pk=UUID(request.POST.get("subscription", ""))).first()
    except ValueError:
        return None


def _told(customer: Customer, subscription: Subscription, request: OperatorRequest) -> dict[str, object]:
    day = subscription.starts_at.astimezone(request.zone)
    return {"customer": customer, "plan": subscription.version.plan, "day": date_format(day, "j M Y")}
