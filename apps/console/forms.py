"""Forms of the operator's pages: they clean what is typed, the services do the rest."""

from collections.abc import Iterable
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization, Role
from apps.customers.models import Customer, CustomerRole
from apps.keys.models import ProviderKey
from apps.keys.providers import label_of
from apps.kit.forms import show_plain_numbers

UNITS = {"markup_percent": "%", "daily_cap": "$", "monthly_cap": "$", "default_markup_percent": "%"}


class CustomerForm(forms.ModelForm):
    """A customer's name, markup and limits. An empty limit is none; 0 lets nothing through."""

    class Meta:
        model = Customer
        fields = ("name", "email", "markup_percent", *Customer.LIMITS)
        labels = {
            "email": _("E-mail of its admin"),
            "markup_percent": _("Markup"),
            "daily_cap": _("Spend a day"),
            "monthly_cap": _("Spend a month"),
        }

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        show_plain_numbers(self, UNITS)
        default = f"{organization.default_markup_percent.normalize():f}"
        self.fields["markup_percent"].help_text = _(
            "What its price is above your cost. Empty: your default of %(percent)s %%."
        ) % {"percent": default}
        self.fields["markup_percent"].widget.attrs["placeholder"] = default
        for name in Customer.LIMITS:
            self.fields[name].widget.attrs |= {"placeholder": _("no limit"), "min": 0}

    def limit_fields(self) -> list[forms.BoundField]:
        """The fields of the limits, for the template."""
        return [self[name] for name in Customer.LIMITS]


class AddCustomerForm(CustomerForm):
    """A new customer, with a provider key for each provider, in one step."""

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, organization=organization, **kwargs)
        self.fields["email"].help_text = _("Gets an invitation to the customer portal.")
        live = organization.provider_keys.live()
        for provider, key in _first_of_each(live.order_by("provider", "name")):
            self.fields[f"key_{provider}"] = forms.ModelChoiceField(
                queryset=live.filter(provider=provider),
                required=False,
                label=label_of(provider),
                empty_label=_("not offered"),
                initial=key,
            )

    def key_fields(self) -> list[forms.BoundField]:
        """The fields of the provider keys, for the template."""
        return [self[name] for name in self.fields if name.startswith("key_")]

    def chosen_keys(self) -> list[ProviderKey]:
        """The provider keys that the customer's calls are sent with."""
        return [key for name, key in self.cleaned_data.items() if name.startswith("key_") and key]

    def customer_fields(self) -> dict[str, Any]:
        """What the customer itself is made of."""
        return {name: self.cleaned_data[name] for name in self.Meta.fields}


class CustomerKeysForm(forms.Form):
    """Which provider key each provider's calls of a customer are sent with."""

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        live = customer.organization.provider_keys.live()
        chosen = {link.provider: link.provider_key_id for link in customer.provider_key_links.all()}
        for provider in sorted({*live.values_list("provider", flat=True), *chosen}):
            self.fields[provider] = forms.ModelChoiceField(
                queryset=customer.organization.provider_keys.filter(provider=provider),
                required=False,
                label=label_of(provider),
                empty_label=_("not offered"),
                initial=chosen.get(provider),
            )


class AssignForm(forms.Form):
    """A customer whose calls are to be sent with a key."""

    customer = forms.ModelChoiceField(queryset=Customer.objects.none(), label=_("Customer"))

    def __init__(self, *args: Any, key: ProviderKey, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = key.organization.customers.exclude(provider_key_links__provider_key=key).order_by("name")
        self.fields["customer"].queryset = others  # type: ignore[attr-defined]


class MemberForm(forms.Form):
    """Whom to invite to the organization."""

    email = forms.EmailField(label=_("E-mail"))
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.VIEWER)


class CustomerMemberForm(forms.Form):
    """Whom to invite to a customer's portal."""

    email = forms.EmailField(label=_("E-mail"))
    role = forms.ChoiceField(label=_("Role"), choices=CustomerRole.choices, initial=CustomerRole.ADMIN)


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(choices=Role.choices)


class CustomerRoleForm(forms.Form):
    """Another role for a customer's member."""

    role = forms.ChoiceField(choices=CustomerRole.choices)


class OrganizationForm(forms.ModelForm):
    """The organization's own settings."""

    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=[(zone, zone) for zone in sorted(available_timezones())],
        help_text=_("Days and months of usage and of spend caps begin at its midnight."),
    )

    class Meta:
        model = Organization
        fields = ("name", "time_zone", "default_markup_percent", "on_limiter_outage")
        labels = {
            "default_markup_percent": _("Default markup"),
            "on_limiter_outage": _("While limits cannot be checked"),
        }
        help_texts = {"default_markup_percent": _("For customers without a markup of their own.")}
        widgets = {"on_limiter_outage": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        show_plain_numbers(self, UNITS)


def _first_of_each(keys: Iterable[ProviderKey]) -> list[tuple[str, ProviderKey]]:
    """Each provider with the first of its keys."""
    first: dict[str, ProviderKey] = {}
    for key in keys:
        first.setdefault(key.provider, key)
    return list(first.items())
