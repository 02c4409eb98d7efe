"""Payments that a customer's bank wants back."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.billing.models.payments import Payment, Refund
from apps.kit.fields import AmountField
from apps.kit.models import IdentifiedModel


class Dispute(IdentifiedModel):
    """How a dispute stands at the provider, and what was done for it here: credit held, or taken for good.

    It may come to any state from any other, as the provider tells; each change is one transaction.
    """

    class State(models.TextChoices):
        INQUIRY = "inquiry", _("The bank asks")  # nothing was taken back
        OPEN = "open", _("Open")  # the money is taken back until it is decided
        WON = "won", _("Won")
        LOST = "lost", _("Lost")

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="disputes")
    provider_id = models.CharField(max_length=128)
    state = models.CharField(max_length=8, choices=State)
    amount = AmountField()  # in the payment's currency
    reason = models.CharField(max_length=100, blank=True)  # as the provider calls it
    answer_by = models.DateTimeField(null=True, blank=True)
    held = AmountField(default=0)  # in USD: credit that was unused and cannot be used until it is decided
    refund = models.OneToOneField(Refund, models.PROTECT, null=True, blank=True, related_name="dispute")  # once lost
    changes = models.PositiveIntegerField(default=0)  # of state: each is booked under its own number
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["payment", "provider_id"], name="dispute_once"),
            models.CheckConstraint(condition=Q(amount__gt=0, held__gte=0), name="dispute_not_negative"),
            models.CheckConstraint(condition=Q(held=0) | Q(state="open"), name="dispute_holds_while_open"),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()}: {self.provider_id}"
