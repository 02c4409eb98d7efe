"""People and their e-mail addresses, as allauth keeps them."""

from allauth.account.models import EmailAddress
from django.db import transaction

from apps.accounts.models import User


def user_of(email: str) -> User | None:
    """The person who signs in with `email`, in whatever case it is written."""
    return User.objects.filter(email__iexact=email).first()


@transaction.atomic
def create_person(email: str, *, name: str = "", password: str | None = None, is_verified: bool) -> User:
    """An account that can sign in, or without a password: can after a reset.

    is_verified: whether it is known that the person reads the mailbox.
    """
    user = User.objects.create_user(email, password, name=name)
    EmailAddress.objects.create(user=user, email=user.email, verified=is_verified, primary=True)
    return user
