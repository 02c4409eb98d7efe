from django.contrib import admin

from apps.kit.admin import ReadOnlyAdmin
from apps.pricing.models import ModelPrice


@admin.register(ModelPrice)
class ModelPriceAdmin(ReadOnlyAdmin):
    list_display = ["provider", "model", "organization", "effective_from", "source"]
    list_filter = ["provider", "source"]
    search_fields = ["model"]
