"""The front door, and coming into a portal by invitation."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from apps.accounts.access import member_of
from apps.accounts.invitations import open_invitation
from apps.accounts.views import Door, accept_page
from apps.customers import access
from apps.customers.models import CustomerInvitation
from apps.customers.services import accept_customer_invitation, accept_customer_invitation_as_new


@never_cache
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """To the console or the portal, whichever the person chose last or belongs to."""
    customer_member = access.customer_member_of(request)
    if customer_member and access.CHOSEN in request.session:
        return redirect("portal:dashboard")
    if member_of(request):
        return redirect("console:dashboard")
    if customer_member:
        return redirect("portal:dashboard")
    return render(request, "account/nowhere.html")


@never_cache
@sensitive_post_parameters("password")
def customer_invitation_accept(request: HttpRequest, token: str) -> HttpResponse:
    """Where the link of a customer's invitation leads."""
    invitations = CustomerInvitation.objects.select_related("customer__organization", "invited_by")
    invitation = open_invitation(invitations, token, at=timezone.now())
    if invitation is None:
        return render(request, "account/invitation_unusable.html", status=404)
    door = Door(
        inviting=f"{invitation.customer} at {invitation.customer.organization}",
        accept=lambda user, at: accept_customer_invitation(invitation, user, at=at),
        accept_as_new=lambda name, password, at: accept_customer_invitation_as_new(
            invitation, name=name, password=password, at=at
        ),
        chosen=(access.CHOSEN, str(invitation.customer_id)),
    )
    return accept_page(request, invitation, door)


@login_required
@require_POST
def customer_switch(request: HttpRequest, customer_id: UUID) -> HttpResponse:
    """Enter the portal of another of the customers that one belongs to."""
    membership = get_object_or_404(request.user.customer_memberships, customer_id=customer_id)  # type: ignore[union-attr]
    request.session[access.CHOSEN] = str(membership.customer_id)
    return redirect("home")
