"""Keys: of providers, in the vault; of customers, that stand for them; of the API; of data. And names for models."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization, User
from apps.customers.limit_fields import AccessFields, LimitFields
from apps.customers.models import Customer
from apps.keys.api_scopes import ApiScope
from apps.kit.models import IdentifiedModel

NEVER_SET = frozenset({"model", "stream"})  # by an alias: what makes the call another one, or its answer

model_name = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._~:@/+-]*\Z", _("Letters, digits and ._~:@/+-, a letter or a digit first.")
)
provider_slug = RegexValidator(r"^[a-z0-9][a-z0-9-]{0,39}$", _("Lower-case letters, digits and hyphens."))


def validate_parameters(value: object) -> None:
    """Raise ValidationError for what cannot be set in the body of a request."""
    if not isinstance(value, dict):
        raise ValidationError(_('Parameters are a JSON object, such as {"temperature": 0.2}.'))
    if taken := NEVER_SET.intersection(value):
        raise ValidationError(_("%(name)s cannot be set for the client."), params={"name": min(taken)})


class ProviderKeyQuerySet(models.QuerySet["ProviderKey"]):
    def live(self) -> Self:
        """Keys that calls may be sent with."""
        return self.filter(disabled_at=None)


class ProviderKey(IdentifiedModel):
    """An operator's secret for a provider. Encrypted by `vault.py`, never shown again."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="provider_keys")
    provider = models.CharField(max_length=40, validators=[provider_slug])  # see providers.py, or one's own
    name = models.CharField(_("name"), max_length=80)
    base_url = models.CharField(_("base URL"), max_length=500, blank=True)  # "": the provider's own
    deployments = models.JSONField(_("deployments"), default=dict, blank=True)  # Azure's names, and the models they run
    ciphertext = models.BinaryField(editable=False)  # nonce + AES-256-GCM of the secret under the row's data key
    wrapped_key = models.BinaryField(editable=False)  # nonce + AES-256-GCM of the data key under a KEK
    kek_id = models.CharField(max_length=40, editable=False)
    last_four = models.CharField(max_length=4, editable=False)  # "": too short to show any of it
    last_opened_on = models.DateField(null=True, editable=False)  # the last day (UTC) that the audit log has it
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True)

    objects = ProviderKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "provider", "name"], name="provider_key_name_unique"),
            # so that a customer's link can be held to the key's organization and provider (migration 0002)
            models.UniqueConstraint(fields=["organization", "provider", "id"], name="provider_key_of_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.name} (…{self.last_four})"


class CustomerProviderKey(models.Model):
    """A provider key that a customer's calls to a provider are sent with: one of them, or of several.

    Foreign keys in migration 0002 see to it that customer and key belong to the same `organization`.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="provider_key_links")
    provider = models.CharField(max_length=40)  # the key's own, beside it for the constraint
    provider_key = models.ForeignKey(ProviderKey, models.RESTRICT, related_name="customer_links")
    weight = models.PositiveSmallIntegerField(default=1)  # its share of the calls, among keys of the same position
    position = models.PositiveSmallIntegerField(default=0)  # lower ones are tried first

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "provider_key"], name="provider_key_linked_once"),
            models.CheckConstraint(condition=Q(weight__range=(1, 1000)), name="provider_key_link_has_a_share"),
        ]
        indexes = [models.Index(fields=["customer", "provider", "position"], name="provider_key_links_in_order")]

    def __str__(self) -> str:
        return f"{self.customer} → {self.provider_key}"


class DataKey(IdentifiedModel):
    """A key under which bodies of a customer's requests are sealed, itself wrapped by the vault: see `sealing.py`.

    A foreign key in migration 0008 sees to it that the customer belongs to the `organization`.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="data_keys")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="data_keys")
    wrapped_key = models.BinaryField(editable=False)  # nonce + AES-256-GCM of the data key under a KEK
    kek_id = models.CharField(max_length=40, editable=False)
    needed_until = models.DateField()  # the day (UTC) from which on nothing is left that it opens
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["kek_id"], name="data_key_to_rotate"),
            models.Index(fields=["needed_until"], name="data_key_to_forget"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class ModelAlias(IdentifiedModel):
    """A name of the organization's own for a provider's model: what it sells under it, it can buy elsewhere tomorrow.

    Both kinds of parameters are top-level fields of the request's body. Objects are merged member by member.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="model_aliases")
    name = models.CharField(_("name"), max_length=128, validators=[model_name])
    provider = models.CharField(_("provider"), max_length=40, validators=[provider_slug])
    model = models.CharField(_("model"), max_length=128, validators=[model_name])
    default_parameters = models.JSONField(default=dict, blank=True, validators=[validate_parameters])
    forced_parameters = models.JSONField(default=dict, blank=True, validators=[validate_parameters])
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                name="model_alias_name_unique",
                violation_error_message=_("There is a model of this name already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} → {self.provider}/{self.model}"


class ProxyKeyQuerySet(models.QuerySet["ProxyKey"]):
    def live(self, at: datetime) -> Self:
        """Keys that are accepted at `at`."""
        return self.filter(Q(revoked_at=None) | Q(revoked_at__gt=at)).filter(Q(expires_at=None) | Q(expires_at__gt=at))


class ProxyKey(LimitFields, AccessFields, IdentifiedModel):
    """A customer's secret for our proxy. Only its SHA-256 is stored; the key is shown once."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="proxy_keys")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")  # the customer's; held to it
    name = models.CharField(_("name"), max_length=80)
    key_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)  # the first instant without it
    revoked_at = models.DateTimeField(null=True, blank=True)  # in the future: replaced, and good until then
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)  # kept by the roll-up
    replaced_by = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="replaces")

    objects = ProxyKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            *LimitFields.Meta.constraints,
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("created_at")),
                name="proxy_key_expires_later",
            ),
        ]
        indexes = [models.Index(fields=["customer", "-created_at"], name="proxy_key_newest_first")]

    def __str__(self) -> str:
        return f"{self.name} (tg_live_…{self.last_four})"

    def is_live(self, at: datetime) -> bool:
        """Whether the key is accepted at `at`."""
        return all(end is None or at < end for end in (self.revoked_at, self.expires_at))


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def live(self, at: datetime) -> Self:
        """Tokens that are accepted at `at`."""
        return self.filter(revoked_at=None).filter(Q(expires_at=None) | Q(expires_at__gt=at))


class ApiToken(IdentifiedModel):
    """A secret for our API: of the organization, or of one of its customers, whose alone it then shows.

    Only its SHA-256 is stored; the token is shown once.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="api_tokens")
    customer = models.ForeignKey(  # held to the organization by migration 0007
        Customer, models.CASCADE, null=True, blank=True, related_name="api_tokens"
    )
    name = models.CharField(_("name"), max_length=80)
    token_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    scopes = ArrayField(models.CharField(max_length=20, choices=ApiScope), verbose_name=_("may"))
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)  # the first instant without it
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)  # to a few minutes

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("created_at")), name="api_token_expires_later"
            ),
            models.CheckConstraint(condition=Q(scopes__len__gt=0), name="api_token_may_do_something"),
        ]
        indexes = [models.Index(fields=["organization", "customer", "-created_at"], name="api_token_newest_first")]

    def __str__(self) -> str:
        return f"{self.name} (tg_api_…{self.last_four})"

    def is_live(self, at: datetime) -> bool:
        """Whether the token is accepted at `at`."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)
