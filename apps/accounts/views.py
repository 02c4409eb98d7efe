"""Coming in by invitation, and choosing where to work."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from apps.accounts import access
from apps.accounts.forms import JoinForm
from apps.accounts.invitations import open_invitation
from apps.accounts.models import BaseInvitation, Invitation, User
from apps.accounts.people import user_of
from apps.accounts.services import accept_invitation, accept_invitation_as_new
from apps.kit.errors import Refused


@dataclass(frozen=True)
class Door:
    """What an invitation opens: its words, and how it is accepted."""

    inviting: str
    accept: Callable[[User, datetime], Any]
    accept_as_new: Callable[[str, str, datetime], Any]  # name, password, at; gives a membership, with its user
    chosen: tuple[str, str]  # into the session, so that the person lands there


@never_cache
@sensitive_post_parameters("password")
def invitation_accept(request: HttpRequest, token: str) -> HttpResponse:
    """Where the link of an organization's invitation leads."""
    invitations = Invitation.objects.select_related("organization", "invited_by")
    invitation = open_invitation(invitations, token, at=timezone.now())
    if invitation is None:
        return render(request, "account/invitation_unusable.html", status=404)
    door = Door(
        inviting=invitation.organization.name,
        accept=lambda user, at: accept_invitation(invitation, user, at=at),
        accept_as_new=lambda name, password, at: accept_invitation_as_new(
            invitation, name=name, password=password, at=at
        ),
        chosen=(access.CHOSEN, str(invitation.organization_id)),
    )
    return accept_page(request, invitation, door)


def accept_page(request: HttpRequest, invitation: BaseInvitation, door: Door) -> HttpResponse:
    """The page of an invitation that can be accepted: by whoever is signed in with the invited address, or
    by making an account for it. Somebody who has one, or is signed in with another, is told what to do.
    """
    if request.user.is_authenticated:
        situation = "accept" if request.user.email.lower() == invitation.email.lower() else "other"
    else:
        situation = "sign_in" if user_of(invitation.email) else "join"
    is_join = situation == "join"
    form = JoinForm(request.POST or None, email=invitation.email) if is_join else None
    if request.method == "POST" and situation in ("accept", "join") and (form is None or form.is_valid()):
        try:
            return _enter(request, door, form)
        except Refused as refusal:
            messages.error(request, str(refusal))
    context = {"invitation": invitation, "inviting": door.inviting, "form": form, "situation": situation}
    return render(request, "account/invitation_accept.html", context)


def _enter(request: HttpRequest, door: Door, form: JoinForm | None) -> HttpResponse:
    now = timezone.now()
    if form is None:
        door.accept(request.user, now)  # type: ignore[arg-type]
    else:
        membership = door.accept_as_new(form.cleaned_data["name"], form.cleaned_data["password"], now)
        login(request, membership.user)  # with a new session: nobody can have prepared it
    key, value = door.chosen
    request.session[key] = value
    return redirect("home")


@login_required
@require_POST
def organization_switch(request: HttpRequest, organization_id: UUID) -> HttpResponse:
    """Work at another of one's organizations."""
    membership = get_object_or_404(request.user.memberships, organization_id=organization_id)  # type: ignore[union-attr]
    request.session[access.CHOSEN] = str(membership.organization_id)
    request.session.pop("customer", None)
    return redirect("home")
