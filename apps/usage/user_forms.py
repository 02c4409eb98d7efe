"""Forms about one end user, and what they do: the operator's pages and the portal's have the same."""

from datetime import datetime

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.models import User
from apps.customers.end_users import block_end_user, note_end_user, unblock_end_user
from apps.customers.models import Customer
from apps.kit.errors import Refused
from apps.usage.user_page import named


class BlockForm(forms.Form):
    """Why a user is blocked."""

    reason = forms.CharField(label=gettext_lazy("Reason"), required=False, max_length=500)


class NoteForm(forms.Form):
    """Something to remember about a user."""

    note = forms.CharField(
        label=gettext_lazy("Note"), required=False, max_length=2000, widget=forms.Textarea({"rows": 3})
    )


def block(request: HttpRequest, customer: Customer, *, by: User, is_operator: bool, at: datetime) -> None:
    """Block whom the form names, and say so."""
    form, name = BlockForm(request.POST), named(request.POST)
    if name is None or not form.is_valid():
        messages.error(request, _("Nobody was blocked: no user is named, or the reason is too long."))
        return
    try:
        reason = form.cleaned_data["reason"]
        block_end_user(customer, name, by=by, at=at, reason=reason, is_operator=is_operator)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.warning(request, _("Blocked: its calls are refused from now on."))


def unblock(request: HttpRequest, customer: Customer, *, by: User, is_operator: bool) -> None:
    """Let in again whom the form names, and say so."""
    if (name := named(request.POST)) is None:
        messages.error(request, _("No user is named."))
        return
    try:
        unblock_end_user(customer, name, by=by, is_operator=is_operator)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Its calls are let in again."))


def note(request: HttpRequest, customer: Customer, *, by: User, is_operator: bool) -> None:
    """Keep what the form says about whom it names."""
    form, name = NoteForm(request.POST), named(request.POST)
    if name is None or not form.is_valid():
        messages.error(request, _("Not saved: no user is named, or the note is longer than 2,000 characters."))
        return
    try:
        note_end_user(customer, name, form.cleaned_data["note"], by=by, is_operator=is_operator)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("Saved."))
