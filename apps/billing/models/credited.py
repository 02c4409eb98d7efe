"""What was taken back of usage that an invoice has on it."""

from django.db import models

from apps.billing.models.documents import CreditNote
from apps.customers.models import Customer
from apps.kit.fields import AmountField


class CreditedDay(models.Model):
    """What a credit note takes back of a day's usage, by model: the twin of InvoicedDay, with amounts below zero.

    What a day's roll-up has above the sum of both is not on any invoice yet. Amounts are in USD.
    """

    credit_note = models.ForeignKey(CreditNote, models.PROTECT, related_name="days")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="credited_days")
    day = models.DateTimeField()  # as in the roll-ups
    provider = models.TextField()
    model = models.TextField()
    sold_as = models.TextField()
    requests = models.BigIntegerField()
    tokens = models.JSONField(default=dict)  # by kind, those that are not 0
    price = AmountField()
    from_credit = AmountField(default=0)  # what of it was paid from credit, and went back to it

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["credit_note", "day", "provider", "model", "sold_as"], name="credited_day_once"
            )
        ]
        indexes = [models.Index(fields=["customer", "day"], name="credited_days_of_customer")]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.model}"
