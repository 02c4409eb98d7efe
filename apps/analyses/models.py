"""Analyses that somebody gave a name, so that they are a click away."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization, User
from apps.customers.models import Customer
from apps.kit.models import IdentifiedModel


class SavedAnalysis(IdentifiedModel):
    """What is asked, as the page's query string says it: opened on another day, “this month” is that day's month."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="analyses")
    customer = models.ForeignKey(  # in whose portal it is; None: the console's
        Customer, models.CASCADE, null=True, blank=True, related_name="analyses"
    )
    name = models.CharField(_("name"), max_length=80)
    asked = models.JSONField(default=dict, blank=True)
    saved_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "customer", "name"], name="analysis_name_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return self.name
