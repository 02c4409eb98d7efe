"""The form above the users' table: which days, whose users, and what of their calls."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.customers.fields import CustomerField
from apps.customers.models import Customer
from apps.usage.queries import Scope
from apps.usage.queries.users import UserFilter
from apps.usage.ranges import Range
from apps.usage.snapshots import Asked


class UsersFilter(forms.Form):
    """Which users. Empty: all of them."""

    q = forms.CharField(label=_("User"), required=False, max_length=512, widget=forms.TextInput({"type": "search"}))
    customer = CustomerField()
    model = forms.CharField(
        label=_("Model"), required=False, max_length=512, widget=forms.TextInput({"list": "models-used"})
    )
    name = forms.ChoiceField(label=_("Property"), required=False)
    value = forms.CharField(label=_("Its value"), required=False, max_length=512, strip=False)
    above = forms.DecimalField(label=_("Cost from, USD"), required=False, min_value=0, max_digits=24, decimal_places=12)

    def __init__(
        self, asked: QueryDict, organization: Organization, customer: Customer | None, properties: Sequence[str]
    ) -> None:
        """customer: the only one, in its portal; None: whoever of the organization's is chosen."""
        super().__init__({name: value.replace("\x00", "") for name, value in asked.items()}, auto_id="filter_%s")
        self._only = customer
        self.fields["name"].choices = [("", _("any")), *((name, name) for name in properties)]  # type: ignore[attr-defined]
        if customer is None:
            self.fields["customer"].queryset = organization.customers.order_by("name")  # type: ignore[attr-defined]
        else:
            del self.fields["customer"]
            self.fields["above"].label = _("Spend from, USD")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("model") and cleaned.get("name"):
            self.add_error("model", _("By a model or by a property, not by both: the sums are kept for each alone."))
        if cleaned.get("name") and not cleaned.get("value"):
            self.add_error("value", _("Which one?"))
        return cleaned

    @property
    def whose(self) -> Customer | None:
        """The one that is meant; None: all."""
        return self._only or self.cleaned_data.get("customer")

    @property
    def names(self) -> dict[UUID, str]:
        """Of the customers that can be chosen."""
        return {} if self._only else self.fields["customer"].names  # type: ignore[attr-defined, no-any-return]

    def scope(self, organization: Organization, chosen: Range) -> Scope:
        model = self.cleaned_data.get("model") or None
        scope = Scope(organization.pk, *chosen.period, customer_id=self.whose.pk if self.whose else None)
        return replace(scope, sold_as=model) if self._only else replace(scope, model=model)

    def narrowed(self) -> UserFilter:
        cleaned = self.cleaned_data
        least = cleaned.get("above")
        return UserFilter(
            search=cleaned.get("q") or "",
            property=(cleaned["name"], cleaned["value"]) if cleaned.get("name") else None,
            min_price=least if self._only else None,
            min_cost=None if self._only else least,
        )

    def in_snapshot(self, organization: Organization, chosen: Range) -> Asked:
        """What a snapshot can be taken of: the rest is looked for in it."""
        scope, narrowed = self.scope(organization, chosen), self.narrowed()
        name, value = narrowed.property or (None, None)
        return Asked(
            organization.pk,
            *chosen.as_asked,
            customer_id=scope.customer_id,
            model=scope.model,
            sold_as=scope.sold_as,
            name=name,
            value=value,
        )

    def asked(self) -> dict[str, str]:
        """What was chosen, for query strings that ask the same again."""
        return {name: self.data[name] for name in self.fields if self.data.get(name)}
