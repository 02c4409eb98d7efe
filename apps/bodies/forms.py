"""Forms of what is stored, for the operator's pages."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.bodies.models import BodyPolicy, CustomerBodyPolicy, Kept, validate_few, validate_pattern
from apps.bodies.policy import MOST_KB
from apps.bodies.queries import policy_of
from apps.bodies.services import OWN_POLICY, POLICY
from apps.customers.models import Customer


class PatternsField(forms.CharField):
    """Regular expressions, a line each."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label=_("Patterns of your own"),
            required=False,
            widget=forms.Textarea(
                attrs={"rows": 3, "placeholder": r"ACME-\d{6}", "class": "mono", "spellcheck": "false"}
            ),
            **kwargs,
        )

    def clean(self, value: Any) -> Any:
        patterns = list(dict.fromkeys(filter(None, map(str.strip, super().clean(value).splitlines()))))
        validate_few(patterns)
        for pattern in patterns:
            validate_pattern(pattern)
        return patterns

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


class BodyPolicyForm(forms.ModelForm):
    """What is stored of all customers' requests."""

    patterns = PatternsField(help_text=_("A regular expression a line. What matches is replaced by [redacted]."))

    class Meta:
        model = BodyPolicy
        fields = POLICY
        labels = {
            "keeps": _("What is stored"),
            "days": _("For how many days"),
            "most_kb": _("Of each body at most, in KB"),
            "hides_emails": _("Take out e-mail addresses"),
            "hides_cards": _("Take out card numbers"),
            "hides_keys": _("Take out keys and tokens"),
            "open_to": _("Who in your organization may read them"),
            "is_open_to_customers": _("Customers' admins may read their own"),
        }
        help_texts = {
            "most_kb": _("1 to %(most)d. What is longer is cut off there.") % {"most": MOST_KB},
            "open_to": _("And the roles above. Each look is in the audit log."),
            "is_open_to_customers": _("In the portal. Each look is in the audit log."),
        }

    def redaction_fields(self) -> list[forms.BoundField]:
        """What is taken out, for the template."""
        return [self["hides_emails"], self["hides_cards"], self["hides_keys"]]


class CustomerBodyPolicyForm(forms.ModelForm):
    """What is taken away from that for one customer."""

    patterns = PatternsField(help_text=_("Taken out besides what your settings take out."))

    class Meta:
        model = CustomerBodyPolicy
        fields = OWN_POLICY
        labels = {
            "keeps": _("What is stored"),
            "days": _("For how many days"),
            "most_kb": _("Of each body at most, in KB"),
        }

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        base = policy_of(customer.organization)
        self.fields["keeps"].help_text = _("Your settings: %(what)s.") % {"what": Kept(base.keeps).label.lower()}
        self.fields["keeps"].choices = [  # type: ignore[attr-defined]
            (Kept.BOTH, _("As in your settings")),
            *((kept, kept.label) for kept in (Kept.REQUESTS, Kept.RESPONSES, Kept.NOTHING)),
        ]
        self.fields["days"].choices = [  # type: ignore[attr-defined]
            ("", _("as in your settings: %(days)d") % {"days": base.days}),
            *((days, label) for days, label in BodyPolicy._meta.get_field("days").choices if days < base.days),
        ]
        self.fields["most_kb"].help_text = _("Empty: as in your settings, %(kb)d.") % {"kb": base.most_kb}
