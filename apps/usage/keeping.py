"""How much of an organization's usage is kept and how finely, and the days on which it was more."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.kit.fields import AmountField


def _days(text: Any) -> Any:
    return models.PositiveIntegerField(text, null=True, blank=True, validators=[MinValueValidator(2)])


class Keeping(models.Model):
    """What an organization has other than the settings say; None: as they say.

    `hours_since` and `days_since` are what was forgotten already: nothing of before is proved or made anew.
    """

    organization = models.OneToOneField(Organization, models.CASCADE, related_name="keeping")
    most_end_users = models.PositiveIntegerField(_("most end users a day"), null=True, blank=True)
    most_property_values = models.PositiveIntegerField(_("most values of properties a day"), null=True, blank=True)
    requests_days = _days(_("days that requests are kept"))
    hours_days = _days(_("days that hourly sums are kept"))
    days_days = _days(_("days that daily sums are kept"))
    hours_since = models.DateTimeField(null=True, editable=False)
    days_since = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return str(self.organization)


class DayCardinality(models.Model):
    """How many end users and values of properties a day has sums of their own for.

    Its row is locked by who adds to the day, before they look at what is known of it.
    """

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    day = models.DateTimeField()
    end_users = models.IntegerField(default=0)
    property_values = models.IntegerField(default=0)
    has_other_users = models.BooleanField(default=False)  # than those, counted together as OTHER
    has_other_values = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["organization", "day"], name="day_cardinality_once"),)

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}: {self.end_users} end users, {self.property_values} values"


class KnownValue(models.Model):
    """An end user, or a value of a property, that has sums of its own on a day. Whoever sums again goes by it."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    day = models.DateTimeField()
    customer_id = models.UUIDField()
    name = models.TextField(null=True)  # None: an end user
    value = models.TextField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["organization", "day", "customer_id", "name", "value"],
                name="known_value_once",
                nulls_distinct=False,
            ),
        )

    def __str__(self) -> str:
        return self.value


class ForgottenSpend(models.Model):
    """The price of the days that are kept no longer: caps on all that was ever spent go on counting it."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    customer_id = models.UUIDField()
    proxy_key_id = models.UUIDField()
    price = AmountField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["customer_id", "proxy_key_id", "organization"], name="forgotten_spend_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.price:f}"


class RequestsHorizon(models.Model):
    """One row: requests of before `since` are gone."""

    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d}"


def keeping_of(organization_id: UUID) -> Keeping:
    """What holds for an organization: its own values, else those of the settings; 0 days: for ever. Not for saving."""
    keeping = Keeping.objects.filter(organization_id=organization_id).first() or Keeping()
    for name, usual in settings.USAGE_KEEPING.items():
        if getattr(keeping, name) is None:
            setattr(keeping, name, usual)
    return keeping


def requests_since() -> datetime | None:
    """From when on there are requests. None: none were ever dropped."""
    return RequestsHorizon.objects.values_list("since", flat=True).first()
