"""Forms of people who come in: signing up, accepting an invitation."""

from typing import Any

from allauth.account.forms import SignupForm
from django import forms
from django.contrib.auth.password_validation import password_validators_help_text_html, validate_password
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization, User
from apps.accounts.services import create_organization


class SignUpForm(SignupForm):
    """An operator signs up: the organization's name, and the e-mail and password of its owner."""

    organization_name = forms.CharField(
        label=_("Organization"),
        max_length=Organization._meta.get_field("name").max_length,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    field_order = ("organization_name", "email", "password1")

    @transaction.atomic
    def save(self, request: HttpRequest) -> User:
        """The owner and the organization, or neither."""
        user: User = super().save(request)
        create_organization(self.cleaned_data["organization_name"], owner=user, by=user)
        return user


class JoinForm(forms.Form):
    """An invited person without an account: their name, and the password they will sign in with."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=User._meta.get_field("name").max_length,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        help_text=password_validators_help_text_html,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if password := cleaned.get("password"):
            person = User(email=self.email, name=cleaned.get("name", ""))
            try:
                validate_password(password, person)
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned
