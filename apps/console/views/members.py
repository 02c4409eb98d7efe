"""The organization's own people."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.invited import invite
from apps.accounts.models import Role
from apps.accounts.services import change_role, invite_member, remove_member, withdraw_invitation
from apps.console.forms import MemberForm, RoleForm
from apps.kit.errors import Refused


@operator_page(Role.VIEWER)
def members(request: OperatorRequest) -> HttpResponse:
    """Who works here, and who is invited."""
    context = {
        "section": "members",
        "members": request.organization.members.select_related("user").order_by("created_at"),
        "invitations": request.organization.invitations.filter(accepted_at=None, expires_at__gt=timezone.now()),
        "form": MemberForm(),
        "roles": Role.choices,
    }
    return render(request, "console/members.html", context)


@require_POST
@operator_page(Role.ADMIN)
def member_invite(request: OperatorRequest) -> HttpResponse:
    """Invite somebody by e-mail."""
    form = MemberForm(request.POST)
    if form.is_valid():
        _invite(request, form.cleaned_data["email"], Role(form.cleaned_data["role"]))
    else:
        messages.error(request, _("That is not an e-mail address."))
    return redirect("console:members")


def _invite(request: OperatorRequest, email: str, role: Role) -> None:
    invite(request, email, lambda email: invite_member(request.organization, email=email, role=role, by=request.user))


@require_POST
@operator_page(Role.ADMIN)
def member_role(request: OperatorRequest, member_id: UUID) -> HttpResponse:
    """Give a member another role."""
    member = get_object_or_404(request.organization.members, pk=member_id)
    form = RoleForm(request.POST)
    if form.is_valid():
        _attempt(request, lambda: change_role(member, Role(form.cleaned_data["role"]), by=request.user))
    return redirect("console:members")


@require_POST
@operator_page(Role.ADMIN)
def member_remove(request: OperatorRequest, member_id: UUID) -> HttpResponse:
    """End a membership."""
    member = get_object_or_404(request.organization.members, pk=member_id)
    _attempt(request, lambda: remove_member(member, by=request.user))
    return redirect("console:members")


@require_POST
@operator_page(Role.ADMIN)
def invitation_resend(request: OperatorRequest, invitation_id: UUID) -> HttpResponse:
    """Invite again, by a new link: the earlier one stops working."""
    invitation = get_object_or_404(request.organization.invitations, pk=invitation_id, accepted_at=None)
    _invite(request, invitation.email, Role(invitation.role))
    return redirect("console:members")


@require_POST
@operator_page(Role.ADMIN)
def invitation_withdraw(request: OperatorRequest, invitation_id: UUID) -> HttpResponse:
    """Make an invitation's link useless."""
    invitation = get_object_or_404(request.organization.invitations, pk=invitation_id)
    _attempt(request, lambda: withdraw_invitation(invitation, by=request.user))
    return redirect("console:members")


def _attempt(request: OperatorRequest, change: object) -> None:
    """Make the change, or say why not."""
    try:
        change()  # type: ignore[operator]
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Done."))
