"""The platform admin: for whoever runs the installation. Signing in to it is signing in."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.http import HttpRequest

from apps.accounts.models import AuditEvent, Invitation, Member, Organization, User
from apps.kit.admin import ReadOnlyAdmin

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    """People can be shut out here, at once and everywhere; passwords are theirs to reset."""

    list_display = ["email", "name", "is_active", "is_staff", "joined_at", "last_login"]
    search_fields = ["email", "name"]
    fields = ["email", "name", "is_active", "is_staff", "is_superuser", "joined_at", "last_login"]
    readonly_fields = ["email", "joined_at", "last_login"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Organization)
class OrganizationAdmin(ReadOnlyAdmin):
    list_display = ["name", "slug", "time_zone", "created_at"]
    search_fields = ["name", "slug"]
    fields = [
        "id",
        "name",
        "slug",
        "time_zone",
        "default_markup_percent",
        "on_limiter_outage",
        "on_client_gone",
        "created_at",
    ]


@admin.register(Member)
class MemberAdmin(ReadOnlyAdmin):
    list_display = ["user", "organization", "role", "created_at"]
    list_select_related = ["user", "organization"]
    search_fields = ["user__email", "organization__name"]
    fields = ["organization", "user", "role", "created_at"]


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ["email", "organization", "role", "expires_at", "accepted_at"]
    list_select_related = ["organization"]
    fields = ["organization", "email", "role", "invited_by", "created_at", "expires_at", "accepted_at"]


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["at", "organization", "actor_label", "action", "target_label"]
    list_select_related = ["organization"]
    list_filter = ["action"]
    search_fields = ["actor_label", "target_label", "target_id"]
    fields = [
        "at",
        "organization",
        "customer_id",
        "actor_id",
        "actor_label",
        "action",
        "target_type",
        "target_id",
        "target_label",
        "changes",
        "ip",
    ]
    show_full_result_count = False
