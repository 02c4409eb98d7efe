from django.contrib import admin

from apps.analyses.models import SavedAnalysis
from apps.kit.admin import ReadOnlyAdmin


@admin.register(SavedAnalysis)
class SavedAnalysisAdmin(ReadOnlyAdmin):
    list_display = ["name", "organization", "customer", "saved_by"]
    list_select_related = ["organization", "customer", "saved_by"]
    search_fields = ["name", "organization__name", "customer__name"]
    fields = ["organization", "customer", "name", "asked", "saved_by"]
