"""Limits of a customer's end users."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.customers.limit_fields import LimitFields
from apps.customers.models import Customer
from apps.kit.models import IdentifiedModel


class EndUserLimit(LimitFields, IdentifiedModel):
    """What one end user of a customer may use, or, without a name, each of those who have no limits of their own."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="end_user_limits")
    end_user = models.TextField(_("end user"), null=True, blank=True)  # None: the default for all
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            *LimitFields.Meta.constraints,
            models.UniqueConstraint(
                fields=["customer", "end_user"], name="end_user_limited_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=~Q(end_user=""), name="end_user_limit_has_a_name_or_none"),
        ]

    def __str__(self) -> str:
        return self.end_user or "every end user"
