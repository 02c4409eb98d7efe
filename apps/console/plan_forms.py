"""Forms of plans. Charges and allowances are rows; the tiers of a charge are lines of text, as one would say them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.billing.models import Coupon, PlanVersion
from apps.billing.models.parties import USD
from apps.billing.money import currencies
from apps.billing.parties import seller_of
from apps.billing.services.plans import TERMS
from apps.billing.terms import INCLUDED, PER, Metric

MOST_ROWS = 20
IN_FORM = tuple(name for name in TERMS if name not in ("charges", "allowances"))
ALL_ABOVE = "*"

METRICS = [
    (Metric.TOKENS, _("Tokens")),
    (Metric.INPUT, _("Input tokens")),
    (Metric.OUTPUT, _("Output tokens")),
    (Metric.REQUESTS, _("Requests")),
    (Metric.PRICE, _("US dollars, as requests are priced")),
]
MODES = [
    ("graduated", _("Graduated: each tier at its own price")),
    ("volume", _("By volume: everything at the price of the tier that is reached")),
    ("package", _("By packages: one that is begun counts whole")),
]
PERS = list(zip(PER, (_("one"), _("1,000"), _("1 million")), strict=True))

LABELS = {
    "currency": _("Currency"),
    "interval": _("Billed every"),
    "alignment": _("Periods are"),
    "fee": _("Fee for each period"),
    "fee_due": _("Fee is due"),
    "settlement": _("Usage is paid"),
    "allowance": _("Usage included, in money"),
    "minimum": _("Minimum commitment for each period"),
    "discount_percent": _("Discount, in percent"),
    "trial_days": _("Days of trial"),
}
HELP = {
    "allowance": _("Given as credit at the start of each period."),
    "minimum": _("Fee and usage count towards it; what is missing is on the invoice."),
    "discount_percent": _("Off all of the invoice."),
    "trial_days": _("Without a fee or a commitment; usage is charged."),
}
COUPON_LABELS = {"amount": _("or amount"), "periods": _("For how many periods")}
COUPON_HELP = {"periods": _("Empty: for ever.")}
WHEN = [("end", _("When the period is over")), ("now", _("Today"))]


class PlanForm(forms.ModelForm):
    """A plan's name and its terms, but for charges and allowances."""

    name = forms.CharField(label=_("Name"), max_length=80)
    description = forms.CharField(
        label=_("Description"), max_length=500, required=False, help_text=_("Customers see it beside the name.")
    )

    class Meta:
        model = PlanVersion
        fields = tuple(name for name in IN_FORM if name != "rate_card_id")
        labels = LABELS
        help_texts = HELP

    def __init__(
        self, *args: Any, organization: Organization, version: PlanVersion | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, instance=version, **kwargs)
        cards = organization.rate_cards.filter(customer=None).order_by("name")
        self.fields["rate_card_id"] = forms.TypedChoiceField(
            label=_("Requests are priced"),
            choices=[("", _("as they are without a plan")), *((card.pk, card.name) for card in cards)],
            coerce=UUID,
            empty_value=None,
            required=False,
            help_text=_("By a rate card, from the day on which a customer begins."),
        )
        codes = [(code, code) for code in currencies()]
        self.fields["currency"] = forms.ChoiceField(label=self.fields["currency"].label, choices=codes)
        if version is None:
            self.initial["currency"] = seller_of(organization).currency or USD
        else:
            self.initial |= {"name": version.plan.name, "description": version.plan.description}
        for name, value in self.initial.items():
            if isinstance(value, Decimal):
                self.initial[name] = f"{value.normalize():f}"

    def terms(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in IN_FORM}

    def _post_clean(self) -> None:
        """The services check the terms: the form makes no version."""


class ChargeForm(forms.Form):
    """Usage of some models that is priced over the whole period."""

    name = forms.CharField(label=_("Name on the invoice"), max_length=80, required=False)
    models = forms.CharField(label=_("Models"), initial="*", max_length=120, help_text=_("Such as gpt-4o* or *"))
    metric = forms.ChoiceField(label=_("What is counted"), choices=METRICS)
    mode = forms.ChoiceField(label=_("Prices"), choices=MODES)
    per = forms.ChoiceField(label=_("A price is for"), choices=PERS, initial="1000000")
    tiers = forms.CharField(
        label=_("Tiers"),
        required=False,
        widget=forms.Textarea({"rows": 3, "class": "mono"}),
        help_text=_("A line each: up to how many, the price, and a flat fee if there is one. The last begins with *."),
    )
    free = forms.DecimalField(label=_("Free units"), required=False, min_value=0)
    package_size = forms.DecimalField(label=_("Units in a package"), required=False, min_value=0)
    minimum = forms.DecimalField(label=_("At least"), required=False, min_value=0)
    maximum = forms.DecimalField(label=_("At most"), required=False, min_value=0)

    def clean_tiers(self) -> list[dict[str, str | None]]:
        lines = (line.split() for line in self.cleaned_data["tiers"].splitlines())
        return [_tier(words, number) for number, words in enumerate(lines, start=1) if words]

    def row(self) -> dict[str, Any] | None:
        """As a plan stores it; None: nothing was typed."""
        cleaned = self.cleaned_data
        if not cleaned.get("name") and not cleaned.get("tiers"):
            return None
        numbers = ("free", "package_size", "minimum", "maximum")
        told = {name: f"{cleaned[name].normalize():f}" for name in numbers if cleaned.get(name) is not None}
        return {name: cleaned.get(name) for name in ("name", "models", "metric", "mode", "per", "tiers")} | told


class AllowanceForm(forms.Form):
    """Tokens or requests that each period includes."""

    name = forms.CharField(label=_("Name on the invoice"), max_length=80, required=False)
    models = forms.CharField(label=_("Models"), initial="*", max_length=120)
    metric = forms.ChoiceField(label=_("What is included"), choices=[each for each in METRICS if each[0] in INCLUDED])
    quantity = forms.DecimalField(label=_("How many in each period"), required=False, min_value=0)
    rolls_over = forms.BooleanField(label=_("What is left goes on to the next period"), required=False)

    def row(self) -> dict[str, Any] | None:
        cleaned = self.cleaned_data
        if not cleaned.get("name") and cleaned.get("quantity") is None:
            return None
        quantity = cleaned.get("quantity") or Decimal(0)
        named = {name: cleaned.get(name) for name in ("name", "models", "metric", "rolls_over")}
        return named | {"quantity": f"{quantity.normalize():f}"}


_rows = {"extra": 1, "max_num": MOST_ROWS, "absolute_max": MOST_ROWS}
ChargeForms: Any = forms.formset_factory(ChargeForm, **_rows)
AllowanceForms: Any = forms.formset_factory(AllowanceForm, **_rows)


class PlanForms:
    """All of a plan's forms, as one page has them."""

    def __init__(
        self, data: Mapping[str, Any] | None, *, organization: Organization, version: PlanVersion | None = None
    ) -> None:
        self.plan = PlanForm(data, organization=organization, version=version)
        charges = [_as_typed(row) for row in version.charges] if version else None
        allowances = version.allowances if version else None
        self.charges = ChargeForms(data, initial=charges, prefix="charges")
        self.allowances = AllowanceForms(data, initial=allowances, prefix="allowances")

    def is_valid(self) -> bool:
        valid = [form.is_valid() for form in (self.plan, self.charges, self.allowances)]
        return all(valid)  # each says what is wrong with it, not only the first

    def terms(self) -> dict[str, Any]:
        """For the services."""
        lists = {"charges": self.charges, "allowances": self.allowances}
        return self.plan.terms() | {name: _stored(forms) for name, forms in lists.items()}

    def add_errors(self, error: ValidationError) -> None:
        """What the services refused, where it was typed; of a list, above the form."""
        for field, messages in getattr(error, "message_dict", {"": error.messages}).items():
            self.plan.add_error(field if field in self.plan.fields else None, messages)


class CouponForm(forms.ModelForm):
    """A discount of percent or of an amount."""

    class Meta:
        model = Coupon
        fields = ("code", "percent", "amount", "currency", "periods")
        labels = COUPON_LABELS
        help_texts = COUPON_HELP

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"] = forms.ChoiceField(
            label=_("Currency"), choices=[(code, code) for code in currencies()], initial="USD"
        )

    def _post_clean(self) -> None:
        """The service checks it."""


class SubscribeForm(forms.Form):
    """Which plan, from when on."""

    version = forms.ModelChoiceField(label=_("Plan"), queryset=PlanVersion.objects.none(), empty_label=None)
    starts_on = forms.DateField(
        label=_("First day"),
        required=False,
        widget=forms.DateInput({"type": "date"}),
        help_text=_("Empty: today. An earlier day, as long as it is not invoiced."),
    )
    trial_days = forms.IntegerField(
        label=_("Days of trial"), required=False, min_value=0, max_value=3650, help_text=_("Empty: as the plan has it.")
    )

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"] = versions_field(organization)


class ChangeForm(forms.Form):
    """Another plan, or an end: and when."""

    version = forms.ModelChoiceField(label=_("Plan"), queryset=PlanVersion.objects.none(), empty_label=None)
    when = forms.ChoiceField(label=_("When"), choices=WHEN, initial="end")

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"] = versions_field(organization)


class VersionField(forms.ModelChoiceField):
    """The newest version of each plan that is offered."""

    def label_from_instance(self, version: Any) -> str:
        return str(version.plan)


def versions_field(organization: Organization) -> VersionField:
    offered = PlanVersion.objects.filter(plan__organization=organization, plan__retired_at=None)
    newest = offered.order_by("plan_id", "-number").distinct("plan_id").values("pk")
    choices = PlanVersion.objects.filter(pk__in=newest).select_related("plan").order_by("plan__name")
    return VersionField(label=_("Plan"), queryset=choices, empty_label=None)


def _tier(words: list[str], number: int) -> dict[str, str | None]:
    if not 2 <= len(words) <= 3:
        raise ValidationError(
            _t("Line %(number)s: “1000000 2.50”, “1000000 2.50 10” or “* 2.50”.") % {"number": number}
        )
    up_to = None if words[0] == ALL_ABOVE else words[0].replace(",", "").replace("_", "")
    tier: dict[str, str | None] = {"up_to": up_to, "unit": words[1]}
    return tier | ({"flat": words[2]} if len(words) == 3 else {})


def _as_typed(row: Mapping[str, Any]) -> dict[str, Any]:
    lines = [
        " ".join(filter(None, (tier.get("up_to") or ALL_ABOVE, str(tier.get("unit") or 0), tier.get("flat"))))
        for tier in row["tiers"]
    ]
    return {**row, "tiers": "\n".join(lines)}


def _stored(rows: Any) -> list[dict[str, Any]]:
    return [row for form in rows if form.has_changed() or form.initial if (row := form.row()) is not None]
