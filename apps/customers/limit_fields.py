"""What can be limited of a customer, of one of its keys, of one of its end users: the same columns for each."""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.kit.fields import AmountField

LIMITS = (
    "requests_per_minute",
    "requests_per_hour",
    "requests_per_day",
    "tokens_per_minute",
    "max_concurrent",
    "daily_cap",
    "monthly_cap",
    "total_cap",
)
CAPS = ("daily_cap", "monthly_cap", "total_cap")
ACCESS = ("allowed_models", "allowed_networks")
MOST_LISTED = 200

validate_glob = RegexValidator(r"^[^\s,]{1,200}$", _("A model's name, without spaces; * stands for anything."))


def validate_network(text: str) -> None:
    """Refuse what is neither an address nor a network (`203.0.113.0/24`, `2001:db8::/32`)."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        raise ValidationError(_("“%(text)s” is not a network."), params={"text": text}, code="network") from None


def validate_length(listed: Sequence[str]) -> None:
    """Refuse lists that would be slow to look through."""
    if len(listed) > MOST_LISTED:
        raise ValidationError(_("At most %(most)d."), params={"most": MOST_LISTED}, code="too_many")


def _cap(label: Any) -> "AmountField[Any, Any]":
    return AmountField(label, null=True, blank=True, validators=[MinValueValidator(0)])


class LimitFields(models.Model):
    """An empty limit means none; 0 lets nothing through. Caps in USD, of what the customer pays."""

    requests_per_minute = models.PositiveIntegerField(_("requests a minute"), null=True, blank=True)
    requests_per_hour = models.PositiveIntegerField(_("requests an hour"), null=True, blank=True)
    requests_per_day = models.PositiveIntegerField(_("requests in 24 hours"), null=True, blank=True)
    tokens_per_minute = models.PositiveBigIntegerField(_("tokens a minute"), null=True, blank=True)
    max_concurrent = models.PositiveIntegerField(_("requests at once"), null=True, blank=True)
    daily_cap = _cap(_("spend a day"))
    monthly_cap = _cap(_("spend a month"))
    total_cap = _cap(_("spend in total"))
    caps_changed_at = models.DateTimeField(null=True, editable=False)  # when a cap was last set that was none before

    class Meta:
        abstract = True
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(**{cap: None}) | Q(**{f"{cap}__gte": 0}), name=f"%(class)s_{cap}_not_negative"
            )
            for cap in CAPS
        ]

    def change_limits(self, changes: dict[str, Any], at: datetime) -> None:
        """Set these fields, LIMITS or others, and note whether money is limited in a way that it wasn't before."""
        before = {cap: getattr(self, cap) for cap in CAPS}
        for name, value in changes.items():
            setattr(self, name, value)
        if any(before[cap] is None and getattr(self, cap) is not None for cap in CAPS):
            self.caps_changed_at = at


class AccessFields(models.Model):
    """What may be called, and from where. An empty list allows all."""

    allowed_models = ArrayField(
        models.CharField(max_length=200, validators=[validate_glob]),
        verbose_name=_("allowed models"),
        default=list,
        blank=True,
        validators=[validate_length],
    )
    allowed_networks = ArrayField(
        models.CharField(max_length=50, validators=[validate_network]),
        verbose_name=_("allowed networks"),
        default=list,
        blank=True,
        validators=[validate_length],
    )

    class Meta:
        abstract = True
