"""Links that let a person in: what the invitations of organizations and of customers have in common.

The token is in the link and nowhere else; its hash is stored. Whoever holds it reads the invited mailbox,
so that accepting also verifies the address.
"""

import hashlib
import secrets
from datetime import datetime
from typing import NamedTuple, TypeVar

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import models
from django.urls import reverse

from apps.accounts.errors import AccountExists, InvitationUnusable
from apps.accounts.models import BaseInvitation, User
from apps.accounts.people import create_person, user_of
from apps.kit.mail import mail_after_commit

TOKEN_BYTES = 32

InvitationT = TypeVar("InvitationT", bound=BaseInvitation)


class Token(NamedTuple):
    """What goes into the link, and what is stored of it."""

    plain: str
    hash: bytes

    @classmethod
    def make(cls) -> "Token":
        plain = secrets.token_urlsafe(TOKEN_BYTES)
        return cls(plain, hash_of(plain))


def hash_of(token: str) -> bytes:
    """What is stored of a token: SHA-256 (256 random bits need no salt)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def open_invitation(invitations: "models.QuerySet[InvitationT]", token: str, *, at: datetime) -> InvitationT | None:
    """The invitation that the link's token is for, while it can be accepted."""
    return invitations.filter(token_hash=hash_of(token), accepted_at=None, expires_at__gt=at).first()


def send_invitation(invitation: BaseInvitation, token: Token, *, url_name: str, inviting: str) -> str:
    """Mail the link when the transaction commits; gives it too, for whoever hands it over in person."""
    link = f"{settings.PUBLIC_URL}{reverse(url_name, args=[token.plain])}"
    context = {
        "link": link,
        "inviting": inviting,
        "invited_by": invitation.invited_by,
        "expires_at": invitation.expires_at,
    }
    mail_after_commit("invitation", to=invitation.email, context=context)
    return link


def claim(invitation: InvitationT, user: User, *, at: datetime) -> InvitationT:
    """Take the invitation for `user`, inside a transaction: of several at once, one gets it.

    Gives the row as locked. Raises InvitationUnusable.
    """
    locked = _locked(invitation)
    if locked.accepted_at is not None or locked.expires_at <= at:
        raise InvitationUnusable("This invitation was used already or has expired. Ask for a new one.")
    if user.email.lower() != locked.email.lower():
        raise InvitationUnusable(f"This invitation is for {locked.email}. Sign in with that address to accept it.")
    locked.accepted_at = at
    locked.save(update_fields=["accepted_at"])
    EmailAddress.objects.filter(user=user, email__iexact=user.email).update(verified=True)
    return locked


def new_person_for(invitation: BaseInvitation, *, name: str, password: str) -> User:
    """The account that an invited person without one accepts with, inside the transaction that claims.

    Raises AccountExists when there is an account with the address.
    """
    _locked(invitation)  # of two at once, the second finds the account of the first
    if user_of(invitation.email):
        raise AccountExists("You have an account already. Sign in to accept the invitation.")
    return create_person(invitation.email, name=name, password=password, is_verified=True)


def _locked(invitation: InvitationT) -> InvitationT:
    manager = type(invitation)._default_manager
    if locked := manager.select_for_update().filter(pk=invitation.pk).first():
        return locked
    raise InvitationUnusable("This invitation was withdrawn. Ask for a new one.")
