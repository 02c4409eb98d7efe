"""What is stored of requests and answers: what of it, for whom, and a look at one."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.bodies.errors import BodyUnreadable
from apps.bodies.faces import may_read, sides_of
from apps.bodies.forms import BodyPolicyForm, CustomerBodyPolicyForm
from apps.bodies.queries import bodies_of, own_policy_of, policy_for, policy_of, stock_of
from apps.bodies.services import erase_bodies, set_body_policy, set_customer_body_policy, view_bodies
from apps.usage.queries.requests import one_request


@operator_page(Role.ADMIN)
def body_policy(request: OperatorRequest) -> HttpResponse:
    """What is stored of all customers' requests, for how long, and who may read it."""
    organization = request.organization
    form = BodyPolicyForm(request.POST or None, instance=policy_of(organization))
    if request.method == "POST" and form.is_valid():
        set_body_policy(organization, by=request.user, **form.cleaned_data)
        messages.success(request, _("Saved. It holds from now on."))
        return redirect("console:body-policy")
    context = {"section": "settings", "form": form, "stock": stock_of(organization, at=timezone.now())}
    return render(request, "console/bodies/policy.html", context)


@require_POST
@operator_page(Role.ADMIN)
def bodies_erase(request: OperatorRequest) -> HttpResponse:
    """All that is stored is gone, for good."""
    erase_bodies(request.organization, by=request.user, at=timezone.now())
    messages.warning(request, _("All stored bodies are deleted."))
    return redirect("console:body-policy")


@operator_page(Role.ADMIN)
def customer_body_policy(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """What is stored of one customer's requests: less than of the others'."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    form = CustomerBodyPolicyForm(request.POST or None, instance=own_policy_of(customer), customer=customer)
    if request.method == "POST" and form.is_valid():
        set_customer_body_policy(customer, by=request.user, **form.cleaned_data)
        messages.success(request, _("Saved. It holds from now on."))
        return redirect("console:customer-body-policy", customer_id)
    context = {
        "section": "customers",
        "customer": customer,
        "form": form,
        "policy": policy_for(request.organization.customers.get(pk=customer_id)),
        "stock": stock_of(request.organization, customer, at=timezone.now()),
    }
    return render(request, "console/bodies/customer.html", context)


@require_POST
@operator_page(Role.ADMIN)
def customer_bodies_erase(request: OperatorRequest, customer_id: UUID) -> HttpResponse:
    """All that is stored of the customer's requests is gone, for good."""
    customer = get_object_or_404(request.organization.customers, pk=customer_id)
    erase_bodies(request.organization, customer, by=request.user, at=timezone.now())
    messages.warning(request, _("The stored bodies of %(name)s are deleted.") % {"name": customer})
    return redirect("console:customer-body-policy", customer_id)


@operator_page(Role.VIEWER)
def request_bodies(request: OperatorRequest, request_id: UUID) -> HttpResponse:
    """What is stored of one request. A GET tells what there is; a POST opens it, and is in the audit log."""
    organization = request.organization
    found = one_request(organization.pk, None, request_id)
    if found is None:
        raise Http404
    if not may_read(Role(request.member.role), organization):
        raise PermissionDenied
    bodies = bodies_of(organization, request_id, at=timezone.now())
    texts = None
    if request.method == "POST" and bodies is not None:
        try:
            texts = view_bodies(bodies, organization.customers.get(pk=bodies.customer_id), by=request.user)
        except BodyUnreadable as error:
            messages.error(request, str(error))
    context = {
        "section": "requests",
        "bodies": bodies,
        "sides": sides_of(bodies, texts) if bodies else [],
        "is_open": texts is not None,
        "began_at": found.started_at,
        "request_url": reverse("console:request-detail", args=[request_id]),
        "requests_url": reverse("console:requests"),
        "zone": request.zone,
    }
    return render(request, "console/bodies/request.html", context)
