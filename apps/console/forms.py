"""Forms of the operator's pages: they clean what is typed, the services do the rest."""

from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization, Role, time_zones, validate_retry_status
from apps.accounts.services import RETRYING
from apps.customers.limit_fields import ACCESS, LIMITS
from apps.customers.limit_forms import CAP_LABELS, AccessForm, write_plainly
from apps.customers.models import Customer, CustomerRole
from apps.keys.models import ModelAlias, ProviderKey
from apps.keys.providers import PROVIDERS, label_of
from apps.keys.services.links import MOST_POSITION, MOST_WEIGHT, KeyShare

OWN = "other"


class CustomerForm(AccessForm):
    """A customer's name, markup and limits."""

    class Meta:
        model = Customer
        fields = ("name", "email", "markup_percent", *LIMITS, *ACCESS, "shortens_output", "retries", "monthly_fee")
        labels = {
            "email": _("E-mail of its admin"),
            "markup_percent": _("Markup, in percent"),
            "shortens_output": _("Shorten what would not fit under a cap"),
            "retries": _("Tries again when a provider fails"),
            "monthly_fee": _("Subscription a month, in USD"),
            **CAP_LABELS,
        }
        help_texts = {
            "shortens_output": _("A call whose answer could cost more than is left gets a smaller output limit."),
            "retries": _("0 to 5. Empty: as in your settings."),
            "monthly_fee": _("Counted as income under Insights; it is not charged."),
        }

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("markup_percent", "monthly_fee"):
            write_plainly(self, name)
        default = f"{organization.default_markup_percent.normalize():f}"
        self.fields["markup_percent"].help_text = _("Empty: your default of %(percent)s %%.") % {"percent": default}


class AddCustomerForm(CustomerForm):
    """A new customer, with a provider key for each provider, in one step."""

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, organization=organization, **kwargs)
        self.fields["email"].help_text = _("Gets an invitation to the portal.")
        self._keys = list(organization.provider_keys.live().order_by("provider", "name"))
        for provider in dict.fromkeys(key.provider for key in self._keys):
            self.fields[f"key_{provider}"] = forms.ModelChoiceField(
                queryset=organization.provider_keys.live().filter(provider=provider),
                required=False,
                label=label_of(provider),
                empty_label=_("not offered"),
                initial=next(key for key in self._keys if key.provider == provider),
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
    """Which provider key each provider's calls of a customer are sent with: one, or several with weights.

    A provider with several keys has a field for the weight and one for the position of each.
    """

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        live = customer.organization.provider_keys.live()
        self._links = {link.provider_key_id: link for link in customer.provider_key_links.order_by("-position", "-pk")}
        chosen = {link.provider: link.provider_key_id for link in self._links.values()}  # the first in order
        self._keys: dict[str, list[ProviderKey]] = {}
        for key in live.order_by("provider", "name"):
            self._keys.setdefault(key.provider, []).append(key)
        for provider in sorted({*self._keys, *chosen}):
            self.fields[provider] = forms.ModelChoiceField(
                queryset=live.filter(provider=provider),
                required=False,
                label=label_of(provider),
                empty_label=_("not offered"),
                initial=chosen.get(provider),
            )
            if len(self._keys.get(provider, ())) > 1:
                self._add_shares(provider)

    def _add_shares(self, provider: str) -> None:
        self.fields[provider].help_text = _("The one key, unless keys below have a weight.")
        several = [key.pk for key in self._keys[provider] if key.pk in self._links]
        for key in self._keys[provider]:
            link = self._links.get(key.pk) if len(several) > 1 else None
            self.fields[f"weight_{key.pk}"] = forms.IntegerField(
                label=_("%(key)s: weight") % {"key": key},
                required=False,
                min_value=1,
                max_value=MOST_WEIGHT,
                initial=link.weight if link else None,
                help_text=_("Its share of the calls. Empty: not used."),
            )
            self.fields[f"position_{key.pk}"] = forms.IntegerField(
                label=_("%(key)s: position") % {"key": key},
                required=False,
                min_value=0,
                max_value=MOST_POSITION,
                initial=link.position if link else None,
                help_text=_("Those with a higher one are tried when all with a lower one fail. Empty: 0."),
            )

    def changed_shares(self) -> dict[str, list[KeyShare]]:
        """The keys of each provider where something was changed."""
        providers = {name for name in self.fields if not name.startswith(("weight_", "position_"))}
        return {
            provider: self._shares_of(provider)
            for provider in sorted(providers)
            if any(name in self.changed_data for name in self._names_of(provider))
        }

    def _names_of(self, provider: str) -> list[str]:
        keys = self._keys.get(provider, [])
        return [provider, *(f"{field}_{key.pk}" for key in keys for field in ("weight", "position"))]

    def _shares_of(self, provider: str) -> list[KeyShare]:
        said = self.cleaned_data
        weighted = [key for key in self._keys.get(provider, []) if said.get(f"weight_{key.pk}")]
        if weighted:
            return [KeyShare(key, said[f"weight_{key.pk}"], said[f"position_{key.pk}"] or 0) for key in weighted]
        return [KeyShare(said[provider])] if said[provider] else []


class DeploymentsField(forms.CharField):
    """A line each: the deployment's name, "=", and the model that it runs."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label=_("Deployments"),
            required=False,
            widget=forms.Textarea(attrs={"rows": 4, "placeholder": "prod-4o = gpt-4o"}),
            help_text=_("Of Azure: a line each, its name = the model. Prices are found by the model."),
            **kwargs,
        )

    def clean(self, value: Any) -> dict[str, str]:
        deployments: dict[str, str] = {}
        for line in filter(None, map(str.strip, super().clean(value).splitlines())):
            name, equals, model = (part.strip() for part in line.partition("="))
            if not (name and equals and model) or name in deployments:
                raise forms.ValidationError(_("Not a deployment and its model, or one twice: %s") % line)
            deployments[name] = model
        return deployments

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return "\n".join(f"{name} = {model}" for name, model in value.items())
        return value


class DeploymentsForm(forms.Form):
    """Which model each deployment of an Azure resource runs."""

    deployments = DeploymentsField()


class ProviderKeyForm(forms.Form):
    """A provider's secret, for the vault."""

    provider = forms.ChoiceField(label=_("Provider"))
    own_provider = forms.SlugField(
        label=_("Its name, if it is another"),
        required=False,
        help_text=_("Such as “my-vllm”; speaks OpenAI's protocol."),
    )
    name = forms.CharField(label=_("Name of the key"), max_length=80, initial="main")
    secret = forms.CharField(
        label=_("Secret"),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Encrypted at once, never shown again."),
    )
    base_url = forms.CharField(
        label=_("Base URL"),
        required=False,
        help_text=_("Empty: the provider's own. Needed for Azure and your own."),
    )
    deployments = DeploymentsField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [(provider.slug, provider.label) for provider in PROVIDERS.values()]
        self.fields["provider"].choices = [*known, (OWN, _("Another, or your own"))]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        own = cleaned.pop("own_provider", "")
        if cleaned.get("provider") == OWN:
            if not own:
                self.add_error("own_provider", _("Give your provider a name."))
            cleaned["provider"] = own
        return cleaned


class ModelAliasForm(forms.ModelForm):
    """A name for a provider's model, and what is set in the bodies of calls by it."""

    provider = forms.ChoiceField(label=_("Provider"))
    default_parameters = forms.JSONField(
        label=_("Default parameters"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_('JSON, such as {"temperature": 0.2}: set where the client says nothing.'),
    )
    forced_parameters = forms.JSONField(
        label=_("Forced parameters"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Set whatever the client says."),
    )

    class Meta:
        model = ModelAlias
        fields = ("name", "provider", "model", "default_parameters", "forced_parameters")
        help_texts = {
            "name": _("What customers call it, and see in answers."),
            "model": _("What the provider calls it."),
        }

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        used = dict.fromkeys(organization.provider_keys.order_by("provider").values_list("provider", flat=True))
        slugs = dict.fromkeys([*used, *PROVIDERS])  # those that there is a key for come first
        self.fields["provider"].choices = [(slug, label_of(slug)) for slug in slugs]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in ("default_parameters", "forced_parameters"):
            if name in cleaned:
                cleaned[name] = cleaned[name] or {}
        return cleaned


class SecretForm(forms.Form):
    """A new secret in the place of an old one."""

    secret = forms.CharField(label=_("New secret"), widget=forms.PasswordInput(attrs={"autocomplete": "off"}))


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


class OrganizationForm(forms.ModelForm):
    """The organization's own settings."""

    time_zone = forms.ChoiceField(label=_("Time zone"), choices=[(zone, zone) for zone in time_zones()])
    retry_statuses = SimpleArrayField(  # as above
        forms.IntegerField(validators=[validate_retry_status]),
        label=_("Statuses that are tried again"),
        required=False,
        help_text=_("With commas between. A provider that cannot be reached is always tried again."),
    )

    class Meta:
        model = Organization
        fields = ("name", "time_zone", "default_markup_percent", "on_limiter_outage", "on_client_gone", *RETRYING)
        labels = {
            "default_markup_percent": _("Default markup, in percent"),
            "on_limiter_outage": _("While limits cannot be checked"),
            "on_client_gone": _("When a client hangs up in the middle of an answer"),
            "retries": _("Tries again when a provider fails"),
            "monthly_fee": _("Subscription a month, in USD"),
            "retry_wait_ms": _("First wait, in milliseconds"),
            "retry_most_wait_ms": _("Longest wait, in milliseconds"),
        }
        help_texts = {
            "retries": _("0 to 5; 0: a call is sent once, with each of its keys."),
            "retry_wait_ms": _("Each wait is twice as long as the one before."),
            "retry_most_wait_ms": _("A provider that asks for a longer one is not tried again."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        write_plainly(self, "default_markup_percent")
