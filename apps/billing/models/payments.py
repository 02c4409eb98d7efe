"""What was paid, by whom and how. A payment provider is one of `payments/`; by hand is always there."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization, User
from apps.billing.models.documents import CreditNote, Invoice
from apps.customers.models import Customer
from apps.kit.fields import AmountField
from apps.kit.models import IdentifiedModel


class PaymentMethod(IdentifiedModel):
    """A card or the like that a customer left with the payment provider: we know what it is called, no more."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="payment_methods")
    provider = models.CharField(max_length=20)  # "stripe"
    provider_id = models.CharField(max_length=64)
    label = models.CharField(max_length=80)  # "Visa …4242"
    is_default = models.BooleanField(default=False)
    removed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "provider_id"], name="payment_method_once"),
            models.UniqueConstraint(
                fields=["customer"], condition=Q(is_default=True, removed_at=None), name="payment_method_default_once"
            ),
        ]

    def __str__(self) -> str:
        return self.label


class Payment(IdentifiedModel):
    """Money that came in, or is on its way, for an invoice or for credit."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        SUCCEEDED = "succeeded", _("Paid")
        FAILED = "failed", _("Failed")

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="payments")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="payments")
    invoice = models.ForeignKey(Invoice, models.PROTECT, null=True, blank=True, related_name="payments")
    provider = models.CharField(max_length=20)  # "manual", "stripe"
    provider_id = models.CharField(max_length=128)  # the provider's id; by hand: the reference
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    currency = models.CharField(max_length=3)
    amount = AmountField()  # in whole minor units
    credit = AmountField(default=0)  # in USD: what of it buys credit
    refunded = AmountField(default=0)
    paid_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    is_automatic = models.BooleanField(default=False)  # an automatic top-up
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "provider", "provider_id"], name="payment_once"),
            models.CheckConstraint(condition=Q(amount__gte=0, credit__gte=0), name="payment_not_negative"),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("amount")), name="payment_not_refunded_beyond"
            ),
        ]
        indexes = [models.Index(fields=["customer", "-created_at"], name="payments_of_customer")]

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"


class Refund(IdentifiedModel):
    """Money that went back."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    credit_note = models.ForeignKey(CreditNote, models.PROTECT, null=True, blank=True, related_name="refunds")
    provider_id = models.CharField(max_length=128)
    amount = AmountField()
    reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["payment", "provider_id"], name="refund_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.amount:f}"


class PaymentEvent(models.Model):
    """What a payment provider told us, kept before it is acted on. Told twice, it is one row."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="payment_events")
    provider = models.CharField(max_length=20)
    event_id = models.CharField(max_length=128)
    kind = models.CharField(max_length=80)
    payload = models.JSONField(encoder=DjangoJSONEncoder)
    received_at = models.DateTimeField(default=timezone.now)
    processed_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "provider", "event_id"], name="payment_event_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
