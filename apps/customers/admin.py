from django.contrib import admin

from apps.customers.limit_fields import ACCESS
from apps.customers.models import Customer, CustomerInvitation, CustomerMember
from apps.kit.admin import ReadOnlyAdmin


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    list_display = ["name", "organization", "slug", "created_at", "suspended_at"]
    list_select_related = ["organization"]
    search_fields = ["name", "slug", "email", "organization__name"]
    fields = [
        "id",
        "organization",
        "name",
        "slug",
        "email",
        "markup_percent",
        *Customer.LIMITS,
        *ACCESS,
        "shortens_output",
        "suspended_at",
        "created_at",
    ]


@admin.register(CustomerMember)
class CustomerMemberAdmin(ReadOnlyAdmin):
    list_display = ["user", "customer", "role", "created_at"]
    list_select_related = ["user", "customer"]
    search_fields = ["user__email", "customer__name"]
    fields = ["customer", "user", "role", "created_at"]


@admin.register(CustomerInvitation)
class CustomerInvitationAdmin(ReadOnlyAdmin):
    list_display = ["email", "customer", "role", "expires_at", "accepted_at"]
    list_select_related = ["customer"]
    fields = ["customer", "email", "role", "invited_by", "created_at", "expires_at", "accepted_at"]
