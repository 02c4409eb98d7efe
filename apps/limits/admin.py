from django.contrib import admin

from apps.customers.limit_fields import LIMITS
from apps.kit.admin import ReadOnlyAdmin
from apps.limits.models import EndUserLimit


@admin.register(EndUserLimit)
class EndUserLimitAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "customer", "created_at"]
    list_select_related = ["customer"]
    search_fields = ["end_user", "customer__name"]
    fields = ["id", "customer", "end_user", *LIMITS, "caps_changed_at", "created_at"]
