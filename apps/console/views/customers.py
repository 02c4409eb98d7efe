"""Customers: whom the organization sells to, what they use, what they may."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.invited import invite, tell_invited
from apps.accounts.models import Role
from apps.console.forms import AddCustomerForm, CustomerForm, CustomerKeysForm, CustomerMemberForm
from apps.customers.models import Customer, CustomerRole
from apps.customers.services import (
    invite_customer_member,
    resume_customer,
    suspend_customer,
    update_customer,
    withdraw_customer_invitation,
)
from apps.keys.services.customers import add_customer_with_keys
from apps.keys.services.links import assign_provider_keys
from apps.kit.errors import Refused
from apps.usage.faces import RequestRow, bars, chosen_period, named_groups, named_standings
from apps.usage.limit_faces import set_limits
from apps.usage.queries import Scope, by_customer, named_period, over_time, recent_requests
from apps.usage.queries.figures import added_up
from apps.usage.queries.groups import tops
from apps.usage.standing import standings_of

PAGE = 25
TOP = 8
MEASURES = ("requests", "price", "cost")  # that they can be ordered by, the most first


@operator_page(Role.VIEWER)
def customers(request: OperatorRequest) -> HttpResponse:
    """All customers with what they used this month."""
    organization, wanted = request.organization, request.GET.get("q", "").strip()
    found = organization.customers.order_by("name")
    if wanted:
        found = found.filter(name__icontains=wanted)
    since, until = named_period("month", timezone.now(), request.zone)
    order = request.GET.get("sort", "name")
    ids = _in_order(Scope(organization.pk, since, until), found, order)
    page = Paginator(ids, PAGE).get_page(request.GET.get("page"))
    shown = found.in_bulk(page.object_list)
    figures = by_customer(organization, page.object_list, since, until)
    page.object_list = [(shown[pk], figures[pk]) for pk in page.object_list]
    context = {"section": "customers", "page": page, "wanted": wanted, "order": order}
    return render(request, "console/customers/list.html", context)


def _in_order(scope: Scope, found: QuerySet[Customer], order: str) -> list[UUID]:
    """The ids of all of them; only those that are shown get their figures."""
    names = dict(found.values_list("pk", "name"))
    ids = sorted(names, key=lambda pk: names[pk].lower())
    if order not in MEASURES:
        return ids
    sums = dict(scope.sum_rows("customer").values_list("customer_id").annotate(by=Sum(order)).order_by())
    return sorted(ids, key=lambda pk: -sums.get(pk, 0))


@operator_page(Role.ADMIN)
def customer_add(request: OperatorRequest) -> HttpResponse:
    """Name, limits, price and provider keys in one form; its admin is invited."""
    form = AddCustomerForm(request.POST or None, organization=request.organization)
    if request.method == "POST" and form.is_valid():
        try:
            customer, link = add_customer_with_keys(
                request.organization, by=request.user, provider_keys=form.chosen_keys(), **form.customer_fields()
            )
        except ValidationError as error:
            form.add_error(None, error)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%(name)s was added.") % {"name": customer})
            if link:
                tell_invited(request, customer.email, link)
            return redirect("console:customer-detail", customer.pk)
    return render(request, "console/customers/add.html", {"section": "customers", "form": form})


@operator_page(Role.VIEWER)
def customer_detail(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """A customer's usage, limits, people and keys."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    zone = request.zone
    now = timezone.now()
    period = chosen_period(request.GET.get("period"), now, zone)
    scope = Scope(request.organization.pk, *period.period, customer_id=customer.pk)
    points = over_time(scope, period.interval, zone)
    proxy_keys = list(customer.proxy_keys.order_by("-created_at"))
    dearest = tops(scope, "model", "user", "key", limit=TOP)
    context = {
        "section": "customers",
        "customer": customer,
        "period": period,
        "zone": zone,
        "totals": added_up(point.figures for point in points),
        "requests_chart": bars(points, period.interval, lambda figures: figures.requests, False),
        "price_chart": bars(points, period.interval, lambda figures: figures.price, True),
        "models": named_groups(dearest["model"]),
        "users": named_groups(dearest["user"]),
        "keys": named_groups(dearest["key"], {key.pk: key.name for key in proxy_keys}),
        "standings": named_standings(standings_of(customer, at=now, proxy_keys=proxy_keys)),
        "set_limits": set_limits(customer),
        "links": customer.provider_key_links.select_related("provider_key").order_by("provider", "position"),
        "proxy_keys": proxy_keys[:20],
        "now": now,
        "members": customer.members.select_related("user").order_by("created_at"),
        "invitations": customer.invitations.filter(accepted_at=None, expires_at__gt=now),
        "invite_form": CustomerMemberForm(),
        "requests": [
            RequestRow(row, zone) for row in recent_requests(request.organization.pk, customer.pk, limit=TOP).requests
        ],
    }
    return render(request, "console/customers/detail.html", context)


@operator_page(Role.ADMIN)
def customer_edit(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Limits and price; a change holds at once, on every process."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    form = CustomerForm(request.POST or None, instance=customer, organization=request.organization)
    if request.method == "POST" and form.is_valid():
        update_customer(request.organization.customers.get(pk=customer_id), by=request.user, **form.cleaned_data)
        messages.success(request, _("Saved. It holds from now on."))
        return redirect("console:customer-detail", customer_id)
    context = {"section": "customers", "form": form, "customer": customer}
    return render(request, "console/customers/edit.html", context)


@require_POST
@operator_page(Role.ADMIN)
def customer_suspend(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Refuse all calls of the customer, within a second."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    suspend_customer(customer, by=request.user, at=timezone.now())
    messages.warning(request, _("%(name)s is suspended: its calls are refused.") % {"name": customer})
    return redirect("console:customer-detail", customer_id)


@require_POST
@operator_page(Role.ADMIN)
def customer_resume(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Let the customer's calls through again."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    resume_customer(customer, by=request.user)
    messages.success(request, _("%(name)s is served again.") % {"name": customer})
    return redirect("console:customer-detail", customer_id)


@require_POST
@operator_page(Role.ADMIN)
def customer_invite(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Invite somebody to the customer's portal."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    form = CustomerMemberForm(request.POST)
    if form.is_valid():
        _invite(request, customer, form.cleaned_data["email"], CustomerRole(form.cleaned_data["role"]))
    else:
        messages.error(request, _("That is not an e-mail address."))
    return redirect("console:customer-detail", customer_id)


def _invite(request: OperatorRequest, customer: Customer, email: str, role: CustomerRole) -> None:
    invite(request, email, lambda email: invite_customer_member(customer, email=email, role=role, by=request.user))


@require_POST
@operator_page(Role.ADMIN)
def customer_invitation_resend(request: OperatorRequest, customer_id: UUID, invited_id: UUID) -> HttpResponse:
    """Invite again, by a new link: the earlier one stops working."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    invitation = get_object_or_404(customer.invitations, pk=invited_id, accepted_at=None)
    _invite(request, customer, invitation.email, CustomerRole(invitation.role))
    return redirect("console:customer-detail", customer_id)


@require_POST
@operator_page(Role.ADMIN)
def customer_invitation_withdraw(request: OperatorRequest, customer_id: UUID, invited_id: UUID) -> HttpResponse:
    """Make an invitation's link useless."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    withdraw_customer_invitation(get_object_or_404(customer.invitations, pk=invited_id), by=request.user)
    messages.success(request, _("Done."))
    return redirect("console:customer-detail", customer_id)


@operator_page(Role.ADMIN)
def customer_keys(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """Which provider key the customer's calls to each provider are sent with."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    form = CustomerKeysForm(request.POST or None, customer=customer)
    if request.method == "POST" and form.is_valid():
        for provider, shares in form.changed_shares().items():
            assign_provider_keys(customer, provider, shares, by=request.user)
        messages.success(request, _("Saved. It holds from now on."))
        return redirect("console:customer-detail", customer_id)
    return render(request, "console/customers/keys.html", {"section": "customers", "form": form, "customer": customer})


@operator_page(Role.VIEWER)
def customer_requests(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """A customer's requests, in the explorer."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    return redirect(f"{reverse('console:requests')}?customer={customer.pk}")
