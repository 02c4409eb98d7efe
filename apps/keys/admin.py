from django.contrib import admin

from apps.customers.limit_fields import ACCESS, LIMITS
from apps.keys.models import ApiToken, CustomerProviderKey, ModelAlias, ProviderKey, ProxyKey
from apps.kit.admin import ReadOnlyAdmin


@admin.register(ProviderKey)
class ProviderKeyAdmin(ReadOnlyAdmin):
    list_display = ["name", "provider", "organization", "last_four", "kek_id", "created_at", "disabled_at"]
    list_select_related = ["organization"]
    list_filter = ["provider", "kek_id"]
    search_fields = ["name", "organization__name"]
    fields = [
        "id",
        "organization",
        "provider",
        "name",
        "base_url",
        "deployments",
        "last_four",
        "kek_id",
        "last_opened_on",
        "created_by",
        "created_at",
        "disabled_at",
    ]


@admin.register(CustomerProviderKey)
class CustomerProviderKeyAdmin(ReadOnlyAdmin):
    list_display = ["customer", "provider", "provider_key", "weight", "position"]
    list_select_related = ["customer", "provider_key"]
    fields = ["organization", "customer", "provider", "provider_key", "weight", "position"]


@admin.register(ProxyKey)
class ProxyKeyAdmin(ReadOnlyAdmin):
    list_display = ["name", "customer", "last_four", "created_at", "expires_at", "revoked_at", "last_used_at"]
    list_select_related = ["customer"]
    search_fields = ["name", "customer__name"]
    fields = [
        "id",
        "organization",
        "customer",
        "name",
        "last_four",
        "created_by",
        "created_at",
        "expires_at",
        *LIMITS,
        *ACCESS,
        "revoked_at",
        "last_used_at",
        "replaced_by",
    ]


@admin.register(ModelAlias)
class ModelAliasAdmin(ReadOnlyAdmin):
    list_display = ["name", "organization", "provider", "model"]
    list_select_related = ["organization"]
    search_fields = ["name", "model", "organization__name"]
    fields = [
        "id",
        "organization",
        "name",
        "provider",
        "model",
        "default_parameters",
        "forced_parameters",
        "created_at",
    ]


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ["name", "organization", "customer", "last_four", "expires_at", "revoked_at", "last_used_at"]
    list_select_related = ["organization", "customer"]
    search_fields = ["name", "organization__name", "customer__name"]
    fields = [
        "id",
        "organization",
        "customer",
        "name",
        "last_four",
        "scopes",
        "created_by",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    ]
