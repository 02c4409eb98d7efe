"""Forms for the limits of end users: the customer's own people use them, and its operator."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.customers.limit_fields import LIMITS
from apps.customers.limit_forms import CAP_LABELS, LimitsForm
from apps.customers.models import Customer
from apps.limits.models import EndUserLimit
from apps.limits.services import set_end_user_limits


class EndUserLimitsForm(LimitsForm):
    """Other limits for an end user that has some, or for all without limits of their own."""

    class Meta:
        model = EndUserLimit
        fields = LIMITS
        labels = CAP_LABELS

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, within=customer, **kwargs)
        self.customer = customer
        self.name = self.instance.end_user

    def save_by(self, user: User) -> bool:
        """Set what was typed; False where it isn't to be, with the reason on the form."""
        if not self.is_valid():
            return False
        try:
            set_end_user_limits(self.customer, self.name, by=user, **self.limits())
        except ValidationError as error:
            self.add_error(None, error.messages)  # type: ignore[arg-type]
            return False
        return True


class NewEndUserLimitsForm(EndUserLimitsForm):
    """Limits of its own for one end user."""

    end_user = forms.CharField(
        label=_("End user"),
        max_length=512,
        help_text=_("As calls name it: Helicone-User-Id, Tollgate-User-Id, or the body's “user”."),
    )

    def clean_end_user(self) -> str:
        name: str = self.cleaned_data["end_user"]
        if self.customer.end_user_limits.filter(end_user=name).exists():
            raise ValidationError(_("It has limits of its own already: change those."))
        self.name = name
        return name
