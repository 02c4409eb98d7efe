"""A customer's own people."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.invited import invite
from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.customers.services import invite_customer_member, remove_customer_member, withdraw_customer_invitation
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
        _invite(request, form.cleaned_data["email"], CustomerRole(form.cleaned_data["role"]))
    else:
        messages.error(request, _("That is not an e-mail address."))
    return redirect("portal:members")


def _invite(request: PortalRequest, email: str, role: CustomerRole) -> None:
    invite(
        request, email, lambda email: invite_customer_member(request.customer, email=email, role=role, by=request.user)
    )


@require_POST
@portal_page(CustomerRole.ADMIN)
def invitation_resend(request: PortalRequest, invitation_id: UUID) -> HttpResponse:
    """Invite again, by a new link: the earlier one stops working."""
    invitation = get_object_or_404(request.customer.invitations, pk=invitation_id, accepted_at=None)
    _invite(request, invitation.email, CustomerRole(invitation.role))
    return redirect("portal:members")


@require_POST
@portal_page(CustomerRole.ADMIN)
def invitation_withdraw(request: PortalRequest, invitation_id: UUID) -> HttpResponse:
    """Make an invitation's link useless."""
    invitation = get_object_or_404(request.customer.invitations, pk=invitation_id)
    withdraw_customer_invitation(invitation, by=request.user)
    messages.success(request, _("Done."))
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
