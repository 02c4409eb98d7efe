"""The form of what is kept. Where something would be deleted by it, it asks once more."""

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.usage.keeping import Keeping
from apps.usage.keepings import CAPS, LEAST, LEVELS, OWN, Loss, Values, losses, most_of, own_keeping, problems

LABELS = {
    "most_end_users": _("End users a day"),
    "most_property_values": _("Values of properties a day"),
    "requests_days": _("Requests, in days"),
    "hours_days": _("Hourly sums, in days"),
    "days_days": _("Daily sums, in days"),
}


class KeepingForm(forms.ModelForm):
    """How many are counted apart, and how long what is kept. Empty: as the installation has it."""

    confirmed = forms.BooleanField(label=_("Delete it, for good"), required=False)

    class Meta:
        model = Keeping
        fields = OWN
        labels = LABELS

    def __init__(self, data: Any, organization: Organization, *, at: datetime) -> None:
        own = own_keeping(organization)
        super().__init__(data, instance=own)
        self._organization, self._at = organization, at
        self.own: Values = {name: getattr(own, name) for name in OWN}  # the instance changes while it is cleaned
        self.losses: list[Loss] = []
        for name in OWN:
            self.fields[name].localize = False
            self.fields[name].help_text = self._help(name)

    def _help(self, name: str) -> str:
        least, most, usual = f"{LEAST[name]:,}", most_of(name, self.own), settings.USAGE_KEEPING[name]
        bounds = gettext("%(least)s to %(most)s.") if most else gettext("%(least)s or more.")
        otherwise = gettext("Empty: %(usual)s, as this installation has it.") if usual else gettext("Empty: for ever.")
        return f"{bounds % {'least': least, 'most': f'{most:,}'}} {otherwise % {'usual': f'{usual:,}'}}"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        wanted: Values = {name: cleaned[name] for name in OWN}
        for name, problem in problems(wanted, self.own).items():
            self.add_error(name, problem)
        if not self.errors:
            self.losses = losses(self._organization, wanted, self.own, at=self._at)
            if self.losses and not cleaned["confirmed"]:
                self.add_error(None, _("Nothing is changed yet: this deletes what is told here."))
        return cleaned

    def chosen(self) -> dict[str, int | None]:
        """What was chosen, once the form is valid."""
        return {name: self.cleaned_data[name] for name in OWN}

    def cap_fields(self) -> list[forms.BoundField]:
        """How many are counted apart, for the template."""
        return [self[name] for name in CAPS]

    def level_fields(self) -> list[forms.BoundField]:
        """How long what is kept, for the template."""
        return [self[name] for name in LEVELS]
