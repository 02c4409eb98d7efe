"""A customer's own people."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.invited import tell_invited
from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.customers.services import invite_customer_member, remove_customer_member
from apps.kit.errors import Refused
from apps.portal.forms import MemberForm


@portal_page(CustomerRole.VIEWER)
def members(request: PortalRequest) -> HttpResponse:
    """Who can sign in here, and who is invited."""
    context = {
        "section": "members",
        "members": request.customer.members.select_related("user").order_by("created_at"),
        "invitations": request.customer.invitations.filter(accepted_at=None, expires_at__gt=timezone.now()),
        "form": MemberForm(),
    }
    return render(request, "portal/members.html", context)


@require_POST
@portal_page(CustomerRole.ADMIN)
def member_invite(request: PortalRequest) -> HttpResponse:
    """Invite somebody by e-mail."""
    form = MemberForm(request.POST)
    if form.is_valid():
        email, role = form.cleaned_data["email"], CustomerRole(form.cleaned_data["role"])
        try:
            _invitation, link = invite_customer_member(request.customer, email=email, role=role, by=request.user)
        except (Refused, ValidationError) as error:
            messages.error(request, " ".join(getattr(error, "messages", [str(error)])))
        else:
            tell_invited(request, email, link)
    else:
        messages.error(request, _("That is not an e-mail address."))
    return redirect("portal:members")


@require_POST
@portal_page(CustomerRole.ADMIN)
def member_remove(request: PortalRequest, member_id: UUID) -> HttpResponse:
    """End a membership."""
    member = get_object_or_404(request.customer.members, pk=member_id)
    try:
        remove_customer_member(member, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Done."))
    return redirect("portal:members")
