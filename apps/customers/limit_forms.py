"""The fields of limits and of access, as every form has them that sets some."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.utils.translation import gettext_lazy as _

from apps.customers.limit_fields import ACCESS, LIMITS, LimitFields, validate_glob, validate_network

CAP_LABELS = {
    "daily_cap": _("Spend a day, in USD"),
    "monthly_cap": _("Spend a month, in USD"),
    "total_cap": _("Spend in total, in USD"),
}


def write_plainly(form: forms.ModelForm, name: str) -> None:
    """A number as somebody would type it: 25, where the database has 25.0000."""
    if isinstance(value := form.initial.get(name), Decimal):
        form.initial[name] = f"{value.normalize():f}"


class LimitsForm(forms.ModelForm):
    """Limits of a customer, a key or an end user. An empty one is none; 0 lets nothing through."""

    def __init__(self, *args: Any, within: LimitFields | None = None, **kwargs: Any) -> None:
        """within: whose limits hold besides, and are told beside the fields."""
        super().__init__(*args, **kwargs)
        for name in LIMITS:
            write_plainly(self, name)
            self.fields[name].widget.attrs |= {"placeholder": _("no limit"), "min": 0}
            most = getattr(within, name, None)
            if most is not None:
                written = f"${most.normalize():,f}" if isinstance(most, Decimal) else f"{most:,}"
                self.fields[name].help_text = _("The whole account: %(most)s") % {"most": written}

    def limit_fields(self) -> list[forms.BoundField]:
        """The fields of the limits, for the template."""
        return [self[name] for name in LIMITS]

    def limits(self) -> dict[str, Any]:
        """What was typed into them."""
        return {name: self.cleaned_data[name] for name in LIMITS}


class AccessForm(LimitsForm):
    """With what may be called, and from where."""

    # With the validators of each item: Django's own field for an array of a model's tells only that one is wrong.
    allowed_models = SimpleArrayField(
        forms.CharField(max_length=200, validators=[validate_glob]),
        label=_("Models"),
        required=False,
        help_text=_("With commas between: gpt-4o*, anthropic/*. Empty: all."),
    )
    allowed_networks = SimpleArrayField(
        forms.CharField(max_length=50, validators=[validate_network]),
        label=_("Networks"),
        required=False,
        help_text=_("With commas between: 203.0.113.0/24, 2001:db8::/32. Empty: from anywhere."),
    )

    def access_fields(self) -> list[forms.BoundField]:
        """The fields of what may be called, and from where."""
        return [self[name] for name in ACCESS]

    def limits(self) -> dict[str, Any]:
        """With the lists of what is allowed."""
        return super().limits() | {name: self.cleaned_data[name] for name in ACCESS}
