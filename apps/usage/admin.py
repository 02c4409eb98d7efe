from django.contrib import admin

from apps.kit.admin import ReadOnlyAdmin
from apps.usage.models import AwaitedCall, Batch, DeadLetter, Keeping, Spool


@admin.register(Spool)
class SpoolAdmin(ReadOnlyAdmin):
    list_display = ["id", "segment", "offset", "created_at", "closed_at"]
    ordering = ["-created_at"]


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    list_display = [
        "id",
        "spool",
        "segment",
        "rows",
        "first_started_at",
        "last_started_at",
        "shipped_at",
        "rolled_up_at",
    ]
    list_select_related = ["spool"]
    ordering = ["-id"]


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    list_display = ["id", "created_at", "reason", "spool_id", "segment", "start"]
    ordering = ["-id"]
    fields = ["created_at", "reason", "spool_id", "segment", "start", "content"]

    @admin.display(description="content")
    def content(self, letter: DeadLetter) -> str:
        """What was found, as far as it fits on a page."""
        return repr(bytes(letter.frame[:4000]))


@admin.register(AwaitedCall)
class AwaitedCallAdmin(ReadOnlyAdmin):
    list_display = ["id", "organization", "object_id", "started_at", "leased_until"]
    list_select_related = ["organization"]
    ordering = ["-started_at"]
    fields = ["id", "organization", "customer_id", "object_id", "started_at", "leased_until"]


@admin.register(Keeping)
class KeepingAdmin(admin.ModelAdmin):
    """For whoever runs the installation: how much of an organization's usage is kept, and how finely."""

    list_display = [
        "organization",
        "most_end_users",
        "most_property_values",
        "requests_days",
        "hours_days",
        "days_days",
    ]
    list_select_related = ["organization"]
    readonly_fields = ["hours_since", "days_since"]
