"""The form of a new API token: the operator's and the customer's."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.keys.api_scopes import OF_CUSTOMERS, ApiScope

LIFETIMES = [(30, _("in 30 days")), (90, _("in 90 days")), (365, _("in a year")), ("", _("never"))]


class ApiTokenForm(forms.Form):
    """A token's name, what it may do, and for how long."""

    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("Where it is used, such as “dashboard”."))
    days = forms.TypedChoiceField(
        label=_("Expires"), choices=LIFETIMES, coerce=int, empty_value=None, required=False, initial=90
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        choices=[(scope.value, scope.label) for scope in ApiScope if scope in OF_CUSTOMERS],
        widget=forms.CheckboxSelectMultiple,
        initial=[ApiScope.USAGE_READ],
        error_messages={"required": _("Choose what the token may do.")},
    )

    def lifetime(self) -> timedelta | None:
        """How long the token is good for; None: until revoked."""
        days = self.cleaned_data["days"]
        return None if days is None else timedelta(days=days)


class OperatorTokenForm(ApiTokenForm):
    """A token of the organization, or of one of its customers."""

    customer = forms.ModelChoiceField(
        label=_("It shows"), queryset=Customer.objects.none(), required=False, empty_label=_("everything")
    )
    field_order = ("name", "customer", "days", "scopes")

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scopes"].choices = ApiScope.choices  # type: ignore[attr-defined]
        self.fields["customer"].queryset = organization.customers.order_by("name")  # type: ignore[attr-defined]
