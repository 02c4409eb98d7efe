"""What becomes of days and periods when an organization changes its time zone."""

from django.db import models

from apps.accounts.models import Organization
from apps.billing.models.documents import Invoice
from apps.customers.models import Customer
from apps.kit.fields import AmountField


class BilledZone(models.Model):
    """A zone that an organization's calendar periods are of, from a day on; the last is that of its days, too.

    As long as the last is not the organization's own, its days are being made anew, and nothing is billed or drawn.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="billed_zones")
    time_zone = models.CharField(max_length=64)
    since_on = models.DateField()  # the first day of a period; of the first row: long ago

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "since_on"], name="billed_zone_from_a_day_once")]

    def __str__(self) -> str:
        return f"{self.time_zone} from {self.since_on}"


class MovedDay(models.Model):
    """What an invoice has of a day counts as another day's, since days begin at another hour; it sums to nothing.

    The third of InvoicedDay and CreditedDay: what a day's roll-up has above the sum of all is not invoiced yet.
    Amounts are in USD. Of void invoices it does not count.
    """

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="moved_days")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="moved_days")
    day = models.DateTimeField()  # as in the roll-ups, before or after
    provider = models.TextField()
    model = models.TextField()
    sold_as = models.TextField()
    requests = models.BigIntegerField()
    tokens = models.JSONField(default=dict)  # by kind, those that are not 0
    price = AmountField()
    from_credit = AmountField(default=0)  # what credit paid of the invoice's days, and is counted on others' now

    class Meta:
        indexes = [models.Index(fields=["customer", "day"], name="moved_days_of_customer")]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.model}"
