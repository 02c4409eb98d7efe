"""What is asked: which measure, by what, of whom, in which steps."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.usage.queries import Scope
from apps.usage.queries.grouped_series import By
from apps.usage.queries.measures import COSTS
from apps.usage.ranges import Range

MEASURE_LABELS = {
    "requests": _("Requests"),
    "answered": _("Requests let in"),
    "refused": _("Requests refused"),
    "errors": _("Errors"),
    "error_rate": _("Error rate"),
    "tokens": _("Tokens"),
    "input_tokens": _("Tokens in"),
    "output_tokens": _("Tokens out"),
    "tokens_per_request": _("Tokens a request"),
    "cost": _("Cost"),
    "price": _("Price"),
    "margin": _("Margin"),
    "cost_per_request": _("Cost a request"),
    "price_per_request": _("Price a request"),
    "average_latency_ms": _("Mean latency"),
    "average_first_token_ms": _("Mean time to first token"),
}
CUSTOMERS_LABELS = {"price": _("Spend"), "price_per_request": _("Spend a request")}
BY_LABELS = {
    "": _("Nothing: all together"),
    "customer": _("Customer"),
    "user": _("User"),
    "model": _("Model"),
    "key": _("Key"),
    "provider": _("Provider"),
    "property": _("Property"),
}
OF_OPERATORS = frozenset(("customer", "provider"))
STEP_LABELS = {"": _("As fits"), "hour": _("Hours"), "day": _("Days"), "month": _("Months")}


class AnalysisForm(forms.Form):
    """Anything by anything. What is left out is not narrowed by."""

    measure = forms.ChoiceField(label=_("Measure"))
    by = forms.ChoiceField(label=_("By"), required=False)
    property = forms.ChoiceField(label=_("Property"), required=False)
    step = forms.ChoiceField(label=_("Steps"), required=False, choices=list(STEP_LABELS.items()))
    customer = forms.ModelChoiceField(
        Customer.objects.none(), label=_("Customer"), required=False, empty_label=_("all")
    )
    model = forms.CharField(label=_("Model"), required=False, max_length=512)
    user = forms.CharField(label=_("User"), required=False, max_length=512, strip=False)
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput({"type": "date"}))
    until = forms.DateField(label=_("To"), required=False, widget=forms.DateInput({"type": "date"}))

    def __init__(
        self,
        asked: QueryDict,
        organization: Organization,
        customer: Customer | None,
        properties: Sequence[str],
        chosen: Range,
    ) -> None:
        """customer: the only one, in its portal; None: whoever of the organization's is chosen."""
        told = {"measure": "cost" if customer is None else "price", "by": "model"} if not asked else {}
        told |= {name: value.replace("\x00", "") for name, value in asked.items()}
        told |= {"since": chosen.first.isoformat(), "until": chosen.last.isoformat()}
        super().__init__(told, auto_id="analysis_%s")
        self._only = customer
        labels = MEASURE_LABELS if customer is None else MEASURE_LABELS | CUSTOMERS_LABELS
        self.measures = {name: label for name, label in labels.items() if customer is None or name not in COSTS}
        self._choose("measure", self.measures.items())
        self._choose("by", [pair for pair in BY_LABELS.items() if customer is None or pair[0] not in OF_OPERATORS])
        self._choose("property", [("", "–"), *((name, name) for name in properties)])
        if customer is None:
            self.fields["customer"].queryset = organization.customers.order_by("name")  # type: ignore[attr-defined]
        else:
            del self.fields["customer"]

    def _choose(self, field: str, choices: Any) -> None:
        self.fields[field].choices = list(choices)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("by") == "property":
            if not cleaned.get("property"):
                self.add_error("property", _("Which one?"))
            if cleaned.get("model"):
                self.add_error("model", _("By a property or of a model, not both: the sums are kept for each alone."))
        return cleaned

    def grouping(self) -> By | None:
        """None: all together."""
        by = self.cleaned_data["by"]
        if by == "property":
            return By(named=self.cleaned_data["property"])
        if by == "model" and self._only:
            by = "sold_as"  # as the customer knows them
        return By(by) if by else None

    def scope(self, organization: Organization, chosen: Range) -> Scope:
        """Whose usage is meant, of the days chosen."""
        whose = self._only or self.cleaned_data.get("customer")
        scope = Scope(organization.pk, *chosen.period, customer_id=whose.pk if whose else None)
        if model := self.cleaned_data.get("model"):
            scope = replace(scope, sold_as=model) if self._only else replace(scope, model=model)
        if user := self.cleaned_data.get("user"):
            scope = replace(scope, end_user=user)
        return scope

    def asked(self, chosen: Range) -> dict[str, str]:
        """What was chosen, for query strings that ask the same again: usual periods go with the time."""
        own = {name: self.data[name] for name in self.fields if self.data.get(name)}
        return {name: value for name, value in own.items() if name not in ("since", "until")} | chosen.query()
