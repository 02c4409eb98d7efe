"""Forms of rate cards: rules in rows, from when on they hold, and for whom they are tried out."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.pricing.globs import LONGEST
from apps.pricing.models import RateCard, RateCardVersion
from apps.pricing.rating import KINDS
from apps.pricing.rules import MOST_RULES, BadRules, Mode, RuleTold, clean_rules
from apps.usage.request_filter import Moment

KIND_COLUMNS = ("input", "cache_read", "output")
AMOUNTS = ("per_request", "floor", "ceiling")
MODES = ((Mode.COST_PLUS.value, _("Cost plus")), (Mode.ABSOLUTE.value, _("Own prices")), (Mode.FREE.value, _("Free")))
SPARE = 3  # empty rows
MORE = 10  # that one asks for


def _box(label: Any, example: str = "") -> forms.CharField:
    widget = forms.TextInput(attrs={"placeholder": example, "inputmode": "decimal", "aria-label": label})
    return forms.CharField(label=label, required=False, max_length=40, widget=widget)


class RuleForm(forms.Form):
    """A rule. In cost plus, what is told of a kind or a piece is its markup in percent; else its price in USD."""

    match = forms.CharField(
        label=_("Models"),
        required=False,
        max_length=LONGEST,
        widget=forms.TextInput(attrs={"placeholder": "openai/gpt-*", "aria-label": _("Models"), "class": "mono"}),
    )
    mode = forms.ChoiceField(label=_("How"), choices=MODES, widget=forms.Select(attrs={"aria-label": _("How")}))
    markup_percent = _box(_("Markup, %"), "20")
    input = _box(_("Input"))
    cache_read = _box(_("Cached input"))
    output = _box(_("Output"))
    per_request = _box(_("A call, $"))
    floor = _box(_("At least, $"))
    ceiling = _box(_("At most, $"))
    more = forms.CharField(
        label=_("Other kinds and pieces"),
        required=False,
        max_length=500,
        widget=forms.TextInput(
            attrs={"placeholder": "reasoning=12 web_search=0.02", "aria-label": _("Other kinds and pieces")}
        ),
    )

    def clean_more(self) -> dict[str, str]:
        """By name."""
        pairs = [part.partition("=") for part in self.cleaned_data["more"].split()]
        if wrong := [name for name, equals, value in pairs if not (name and equals and value)]:
            raise forms.ValidationError(
                _("Write names and numbers, such as web_search=0.02: %(wrong)s"), params={"wrong": wrong[0]}
            )
        return {name: value for name, _equals, value in pairs}

    def told(self) -> dict[str, Any] | None:
        """As rules.py takes it; None: an empty row."""
        data = self.cleaned_data
        if not data.get("match"):
            return None
        by_name = {name: data[name] for name in KIND_COLUMNS if data[name]} | data.get("more", {})
        amounts = {name: data[name] for name in AMOUNTS}
        told = {"match": data["match"], "mode": data["mode"], "markup_percent": data["markup_percent"], **amounts}
        if data["mode"] == Mode.COST_PLUS:
            return told | {"markups": by_name}
        rates = {name: value for name, value in by_name.items() if name in KINDS}
        return told | {"rates": rates, "units": {name: by_name[name] for name in by_name.keys() - rates.keys()}}


def row_of(rule: RuleTold) -> dict[str, Any]:
    """The rule as its row shows it."""
    told = rule.as_told()
    by_name: Mapping[str, str] = told.get("markups") or {**told.get("rates", {}), **told.get("units", {})}
    others = [f"{name}={value}" for name, value in by_name.items() if name not in KIND_COLUMNS]
    columns = {name: by_name[name] for name in KIND_COLUMNS if name in by_name}
    plain = {name: told[name] for name in ("match", "mode", "markup_percent", *AMOUNTS) if name in told}
    return plain | columns | {"more": " ".join(others)}


class BaseRuleFormSet(forms.BaseFormSet):
    """All rules of a version. What is wrong with them together is said above them."""

    rules: list[RuleTold]

    def clean(self) -> None:
        if any(self.errors):
            return
        told = [each for each in (form.told() for form in self.forms if hasattr(form, "cleaned_data")) if each]
        try:
            self.rules = clean_rules(told)
        except BadRules as error:
            raise forms.ValidationError(str(error)) from None


RuleFormSet = forms.formset_factory(
    RuleForm, formset=BaseRuleFormSet, extra=SPARE, max_num=MOST_RULES, absolute_max=MOST_RULES + MORE
)


def rule_rows(data: QueryDict | None, rules: Iterable[RuleTold]) -> BaseRuleFormSet:
    """The rows as they were sent, else those of these rules. Whoever asked for more rows gets some."""
    if data is None:
        return RuleFormSet(initial=[row_of(rule) for rule in rules], prefix="rules")
    data = data.copy()
    count = data.get("rules-TOTAL_FORMS", "0")
    if "more_rows" in data and count.isdecimal():
        data["rules-TOTAL_FORMS"] = str(min(int(count) + MORE, MOST_RULES))
    return RuleFormSet(data, prefix="rules")


class MomentForm(forms.Form):
    """From when on something holds: at once, if nothing is said."""

    effective_from = forms.DateTimeField(label=_("From"), required=False, widget=Moment())

    def __init__(self, *args: Any, zone: ZoneInfo, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at = at
        self.fields["effective_from"].help_text = _("%(zone)s. Empty: at once.") % {"zone": zone}

    def clean_effective_from(self) -> datetime:
        """What was charged before stays, so nothing begins in the past."""
        told: datetime | None = self.cleaned_data["effective_from"]
        if told is None:
            return self._at
        if told < self._at:
            raise forms.ValidationError(_("This has passed. What was charged stays as it was."))
        return told


class VersionForm(MomentForm):
    """A version, but for its rules. The name is asked for where the card is new."""

    name = forms.CharField(label=_("Name"), max_length=RateCard._meta.get_field("name").max_length)
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=RateCardVersion._meta.get_field("note").max_length,
        help_text=_("Why, for those who read it later. Customers don't see it."),
    )
    field_order = ("name", "effective_from", "note")

    def __init__(self, *args: Any, is_new_card: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_new_card:
            del self.fields["name"]


class TryForm(forms.Form):
    """Whose requests, of when, are priced by the rules to see what comes of it."""

    PERIODS = (("last_month", _("Last month")), ("month", _("This month")))

    customer = forms.ModelChoiceField(queryset=Customer.objects.none(), label=_("Customer"), required=False)
    period = forms.ChoiceField(label=_("Period"), choices=PERIODS, required=False)

    def __init__(self, *args: Any, organization: Organization, customer: Customer | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if customer is not None:
            del self.fields["customer"]
        else:
            self.fields["customer"].queryset = organization.customers.order_by("name")  # type: ignore[attr-defined]


class UseForm(MomentForm):
    """Which card, and from when on."""

    card = forms.ModelChoiceField(queryset=RateCard.objects.none(), label=_("Rate card"), required=False)
    field_order = ("card", "effective_from")

    def __init__(self, *args: Any, organization: Organization, empty: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cards = self.fields["card"]
        cards.queryset = organization.rate_cards.filter(customer=None).order_by("name")  # type: ignore[attr-defined]
        cards.empty_label = empty  # type: ignore[attr-defined]


class RateCardNameForm(forms.ModelForm):
    """Another name for a card."""

    class Meta:
        model = RateCard
        fields = ("name",)
