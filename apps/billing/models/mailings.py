"""What goes with documents: logos that they bear, and e-mails that they were sent with."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.billing.models.documents import CreditNote, Invoice
from apps.kit.models import IdentifiedModel


class Logo(models.Model):
    """A logo that an organization has or had: an old invoice is printed again with the one of its day."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="logos")
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "sha256"], name="logo_once")]

    def __str__(self) -> str:
        return self.sha256[:12]


class MailingQuerySet(models.QuerySet["Mailing"]):
    def waiting(self) -> Self:
        """Those that nobody has begun to send."""
        return self.filter(begun_at=None)


class Mailing(IdentifiedModel):
    """An e-mail about an invoice. Its row is there before it is sent, so that it goes out once.

    Who sends it says so first (`begun_at`): one that died in between has begun and never sent, and is shown so.
    """

    class Kind(models.TextChoices):
        INVOICE = "invoice", _("Invoice")
        CREDIT_NOTE = "credit_note", _("Credit note")
        REMINDER = "reminder", _("Reminder")
        SUSPENSION = "suspension", _("Suspension")

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="mailings")
    credit_note = models.ForeignKey(CreditNote, models.PROTECT, null=True, blank=True, related_name="mailings")
    kind = models.CharField(max_length=12, choices=Kind)
    number = models.PositiveSmallIntegerField()  # the first, the second of its kind: each is there once
    to = models.CharField(max_length=254)
    days_overdue = models.PositiveSmallIntegerField(default=0)  # of a reminder
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    begun_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)

    objects = MailingQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "credit_note", "kind", "number"], name="mailing_once", nulls_distinct=False
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="mailings_waiting", condition=Q(begun_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number} to {self.to}"

    @property
    def state(self) -> str:
        """For people: sent, waiting, failed, or nobody knows."""
        if self.sent_at:
            return "sent"
        if self.begun_at is None:
            return "waiting"
        return "failed" if self.error else "unknown"
