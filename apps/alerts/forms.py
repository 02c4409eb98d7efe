"""Forms of alerts: an operator's people use them, and a customer's for its own."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.alerts.models import AlertRule, Channel
from apps.alerts.owners import Owner
from apps.alerts.services.rules import add_rule, update_rule
from apps.alerts.terms import (
    COUNTED,
    OPERATORS_OWN,
    THRESHOLDS,
    WINDOWS,
    Action,
    FindingKind,
    Grouping,
    Metric,
)
from apps.kit.errors import Refused
from apps.limits.terms import LimitName
from apps.usage.faces import LIMIT_LABELS

USAGE, LIMIT, FINDINGS = "usage", "limit", "findings"
KINDS = {USAGE: _("Usage"), LIMIT: _("Share of a limit"), FINDINGS: _("Abuse")}
FIELDS_OF = {  # what is asked of each kind of rule, in order
    USAGE: (
        "metric",
        "direction",
        "threshold",
        "comparison",
        "window_minutes",
        "group_by",
        "min_requests",
        "customer",
        "model",
        "end_user",
        "proxy_key",
        "property_name",
        "property_value",
        "tells_resolved",
    ),
    LIMIT: ("limit_name", "thresholds", "customer", "proxy_key"),
    FINDINGS: ("finding_kinds", "customer"),
}
ALWAYS = ("channels", "action", "action_limit")
NEVER_SHARED = LimitName.CONCURRENT  # it changes by the second


def kind_of(metric: str) -> str:
    """The kind of rule that a metric makes."""
    return USAGE if metric in COUNTED else LIMIT if metric == Metric.LIMIT else FINDINGS


class PercentsField(forms.CharField):
    """Percentages, separated by commas."""

    def clean(self, value: Any) -> list[int]:
        try:
            percents = sorted(
                {int(part.strip().removesuffix("%")) for part in super().clean(value).split(",") if part.strip()}
            )
        except ValueError:
            raise ValidationError(_("Whole numbers, separated by commas.")) from None
        if percents and not (percents[0] >= 1 and percents[-1] <= 100):
            raise ValidationError(_("From 1 to 100."))
        return percents

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(str(each) for each in value) if isinstance(value, list) else value


class RuleForm(forms.ModelForm):
    """A rule of one kind: it asks for what that kind needs, and no more."""

    window_minutes = forms.TypedChoiceField(label=_("Within"), choices=list(WINDOWS.items()), coerce=int, initial=60)
    limit_name = forms.ChoiceField(label=_("Limit"), required=False)
    thresholds = PercentsField(
        label=_("Told at, in percent"),
        required=False,
        help_text=_("Such as 50, 80, 100. A cap counts as used up from 95 on."),
    )
    finding_kinds = forms.MultipleChoiceField(
        label=_("Of these"),
        choices=FindingKind.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: of all."),
    )
    channels = forms.ModelMultipleChoiceField(
        queryset=Channel.objects.none(), label=_("Told to"), required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = AlertRule
        fields = ("name", *FIELDS_OF[USAGE], "limit_name", "thresholds", "finding_kinds", *ALWAYS)
        labels = {
            "direction": _("Fires when it"),
            "customer": _("Of customer"),
            "proxy_key": _("Of key"),
            "action_limit": _("Requests a minute"),
        }
        help_texts = {
            "threshold": _("Money in USD, error rate in percent, latency in milliseconds."),
            "group_by": _("Each group has alerts of its own."),
            "min_requests": _("With fewer in the window it does not fire."),
            "model": _("Empty: any."),
            "end_user": _("Empty: any."),
            "property_name": _("Such as Plan. Empty: any."),
            "action_limit": _("Where the rule limits. Empty: 10."),
        }

    def __init__(
        self, *args: Any, owner: Owner, kind: str = USAGE, rule: AlertRule | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, instance=rule, **kwargs)
        self.owner, self.kind, self.rule = owner, kind, rule
        wanted = {"name", *FIELDS_OF[kind], *ALWAYS} - ({"customer"} if owner.is_customer else set())
        for name in set(self.fields) - wanted:
            del self.fields[name]
        if rule is not None and rule.threshold is not None:
            self.initial["threshold"] = f"{rule.threshold.normalize():f}"
        self._choose()

    def _choose(self) -> None:
        """Only what is the owner's can be chosen."""
        choices: dict[str, Any] = {
            "customer": self.owner.organization.customers.order_by("name"),
            "proxy_key": self.owner.keys.select_related("customer").order_by("customer__name", "name"),
            "channels": self.owner.channels.order_by("name"),
        }
        for name, queryset in choices.items():
            if name in self.fields:
                self.fields[name].queryset = queryset  # type: ignore[attr-defined]
                if name != "channels":
                    self.fields[name].empty_label = _("any")  # type: ignore[attr-defined]
        if self.rule is not None:
            self.initial["channels"] = list(self.rule.channels.values_list("pk", flat=True))
        self._choose_words()

    def _choose_words(self) -> None:
        hidden = OPERATORS_OWN if self.owner.is_customer else frozenset()
        groups = [each for each in Grouping if not (self.owner.is_customer and each is Grouping.CUSTOMER)]
        actions = [each for each in Action if not (self.owner.is_customer and each is Action.SUSPEND)]
        limits = [name for name in LimitName if name in LIMIT_LABELS and name is not NEVER_SHARED]
        choices = {
            "metric": [(each.value, each.label) for each in Metric if each in COUNTED - hidden],
            "group_by": [(each.value, each.label) for each in groups],
            "action": [(each.value, each.label) for each in actions],
            "limit_name": [("", _("any spend cap")), *((each.value, LIMIT_LABELS[each]) for each in limits)],
        }
        for name, offered in choices.items():
            if name in self.fields:
                self.fields[name] = forms.ChoiceField(
                    label=self.fields[name].label,
                    help_text=self.fields[name].help_text,
                    choices=offered,
                    required=name == "metric",
                )
        if "thresholds" in self.fields and not self.initial.get("thresholds"):
            self.initial["thresholds"] = list(THRESHOLDS)

    def _post_clean(self) -> None:
        """The service checks: what it says is put at the fields, in `save_by`."""

    def values(self) -> dict[str, Any]:
        """What the service takes, but for the channels."""
        said = {name: value for name, value in self.cleaned_data.items() if name != "channels"}
        metric = {LIMIT: Metric.LIMIT, FINDINGS: Metric.FINDINGS}.get(self.kind)
        return said | ({"metric": metric} if metric else {})

    def save_by(self, user: User, at: datetime) -> bool:
        """Add or change the rule; False where it isn't to be, with the reason on the form."""
        if not self.is_valid():
            return False
        channels = list(self.cleaned_data["channels"])
        try:
            if self.rule is None:
                add_rule(self.owner, by=user, channels=channels, **self.values())
            else:
                update_rule(self.rule, by=user, at=at, channels=channels, **self.values())
        except ValidationError as error:
            for name, messages in error.message_dict.items():
                self.add_error(name if name in self.fields else None, messages)  # type: ignore[arg-type]
            return False
        except Refused as refusal:
            self.add_error(None, str(refusal))
            return False
        return True


class ChannelForm(forms.Form):
    """Where alerts are told."""

    kind = forms.ChoiceField(label=_("Kind"), choices=Channel.Kind.choices)
    name = forms.CharField(label=_("Name"), max_length=80)
    address = forms.CharField(
        label=_("Address"), max_length=500, help_text=_("An e-mail address, or the webhook's URL.")
    )

    def __init__(self, *args: Any, owner: Owner, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if owner.is_customer:
            self.fields["address"].help_text = _("The e-mail address of one of your people, or the webhook's URL.")


class SubscriptionForm(forms.Form):
    """What a channel is told of as it happens."""

    name = forms.CharField(label=_("Name"), max_length=80)
    channel = forms.ModelChoiceField(queryset=Channel.objects.none(), label=_("Told to"))
    kinds = forms.MultipleChoiceField(label=_("Of"), widget=forms.CheckboxSelectMultiple)
    sample_percent = forms.DecimalField(
        label=_("Of requests, so many percent"),
        min_value=Decimal(0),
        max_value=Decimal(100),
        decimal_places=4,
        initial=Decimal(1),
    )

    def __init__(self, *args: Any, owner: Owner, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(kind.value, kind.label) for kind in owner.subscribable]
        self.fields["channel"].queryset = owner.channels.order_by("name")  # type: ignore[attr-defined]
        self.fields["kinds"].choices = choices  # type: ignore[attr-defined]
