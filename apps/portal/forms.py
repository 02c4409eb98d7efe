"""Forms of the portal."""

from datetime import timedelta

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.customers.limit_fields import ACCESS, LIMITS
from apps.customers.limit_forms import CAP_LABELS, AccessForm
from apps.customers.models import CustomerRole
from apps.keys.models import ProxyKey

OVERLAPS = [(0, _("at once")), (60, _("after an hour")), (24 * 60, _("after a day")), (7 * 24 * 60, _("after a week"))]
LIFETIMES = [("", _("never")), (30, _("in 30 days")), (90, _("in 90 days")), (365, _("in a year"))]


class NewKeyForm(forms.Form):
    """A key's name and lifetime."""

    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("Where it is used, such as “production”."))
    days = forms.TypedChoiceField(label=_("Expires"), choices=LIFETIMES, coerce=int, empty_value=None, required=False)

    def lifetime(self) -> timedelta | None:
        """How long the key is good for; None: until revoked."""
        days = self.cleaned_data["days"]
        return None if days is None else timedelta(days=days)


class RotateForm(forms.Form):
    """How long the old key goes on working beside the new one."""

    overlap = forms.TypedChoiceField(choices=OVERLAPS, coerce=int)


class KeyLimitsForm(AccessForm):
    """What a key may use, within the limits of the customer."""

    class Meta:
        model = ProxyKey
        fields = (*LIMITS, *ACCESS)
        labels = CAP_LABELS


class MemberForm(forms.Form):
    """Whom to invite to the portal."""

    email = forms.EmailField(label=_("E-mail"))
    role = forms.ChoiceField(label=_("Role"), choices=CustomerRole.choices, initial=CustomerRole.DEVELOPER)
