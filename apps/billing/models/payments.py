"""What was paid, by whom and how. A payment provider is one of `payments/`; by hand is always there."""

from decimal import Decimal
from typing import ClassVar, Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization, User
from apps.billing.models.documents import CreditNote, Invoice
from apps.customers.models import Customer
from apps.keys.sealed import SealedFields
from apps.kit.fields import AmountField
from apps.kit.models import IdentifiedModel

MANUAL = "manual"


class PaymentProviderSettings(SealedFields, IdentifiedModel):
    """An organization's account at a payment provider. Its keys are sealed by the vault, never shown again."""

    class Collects(models.TextChoices):
        LINK = "link", _("Customers pay invoices themselves, by a link")
        CHARGE = "charge", _("Charge the stored payment method when an invoice is final")
        PUSH = "push", _("Push final invoices to the provider, which collects them")

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="payment_providers")
    provider = models.CharField(max_length=20)  # "stripe"
    is_on = models.BooleanField(default=True)
    collects = models.CharField(_("final invoices"), max_length=8, choices=Collects, default=Collects.LINK)
    key_hint = models.CharField(max_length=12, blank=True)  # "test …4242": what is shown of the secret key
    webhook_hint = models.CharField(max_length=12, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)  # when the provider last took the key
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    PURPOSE: ClassVar = "payment_provider"

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "provider"], name="payment_provider_once")]

    def __str__(self) -> str:
        return self.provider


class PaymentMethodQuerySet(models.QuerySet["PaymentMethod"]):
    def live(self) -> Self:
        """Those that can be charged, the default first."""
        return self.filter(removed_at=None).order_by("-is_default", "-created_at")


class PaymentMethod(IdentifiedModel):
    """A card or the like that a customer left with the payment provider: we know what it is called, no more."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="payment_methods")
    provider = models.CharField(max_length=20)  # "stripe"
    provider_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=30, default="card")  # as the provider calls it
    label = models.CharField(max_length=80)  # "Visa …4242"
    is_default = models.BooleanField(default=False)
    removed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = PaymentMethodQuerySet.as_manager()

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
    provider_id = models.CharField(max_length=128)  # the provider's id; by hand: the reference; first our own id
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    currency = models.CharField(max_length=3)
    amount = AmountField()  # in whole minor units
    tax = AmountField(default=0)  # in it, of a top-up
    credit = AmountField(default=0)  # in USD: what of it buys credit
    refunded = AmountField(default=0)
    details = models.JSONField(default=dict, encoder=DjangoJSONEncoder)  # of a top-up: what it was quoted with
    paid_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    disputed_at = models.DateTimeField(null=True, blank=True)  # the customer's bank wants it back
    method = models.CharField(max_length=80, blank=True)  # "Visa …4242"
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
        return f"{self.amount.normalize():f} {self.currency}"

    @property
    def is_top_up(self) -> bool:
        return self.credit > 0

    @property
    def tax_on_top(self) -> Decimal:
        """The tax that bought no credit: where prices contain it, credit pays them with it."""
        return Decimal(0) if self.details.get("treatment") == "inclusive" else self.tax

    @property
    def refundable(self) -> Decimal:
        """What of it can still go back."""
        return self.amount - self.refunded if self.state == self.State.SUCCEEDED else Decimal(0)


class PaymentAllocation(models.Model):
    """What of a payment went to an invoice; below zero: what was taken from it again by a refund."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="allocations")
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="allocations")
    amount = AmountField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="allocation_of_something")]

    def __str__(self) -> str:
        return f"{self.amount:f}"


class Refund(IdentifiedModel):
    """Money that goes back. Pending: booked, and the provider is being asked."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        SUCCEEDED = "succeeded", _("Paid back")
        FAILED = "failed", _("Failed")

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    credit_note = models.ForeignKey(CreditNote, models.PROTECT, null=True, blank=True, related_name="refunds")
    provider_id = models.CharField(max_length=128)  # first our own id
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    amount = AmountField()
    net = AmountField(default=0)  # in it, of a top-up: as its credit note has them
    tax = AmountField(default=0)
    credit = AmountField(default=0)  # in USD: what was taken from the wallet for it
    unrecovered = AmountField(default=0)  # in USD: what should have been, but was used already
    error = models.CharField(max_length=300, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
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

    class Outcome(models.TextChoices):
        WAITING = "", _("Waiting")
        DONE = "done", _("Done")
        IGNORED = "ignored", _("Not for us")
        UNMATCHED = "unmatched", _("Unmatched")  # money that nobody here waits for

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="payment_events")
    provider = models.CharField(max_length=20)
    event_id = models.CharField(max_length=128)
    kind = models.CharField(max_length=80)
    payload = models.JSONField(encoder=DjangoJSONEncoder)
    received_at = models.DateTimeField(default=timezone.now)
    processed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "provider", "event_id"], name="payment_event_once")
        ]
        indexes = [models.Index(fields=["organization", "-received_at"], name="payment_events_newest_first")]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
