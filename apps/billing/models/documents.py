"""Invoices and credit notes. What is final is never edited: migration 0002 has the database refuse it."""

from decimal import Decimal
from typing import Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization, User
from apps.billing.models.plans import Subscription
from apps.customers.models import Customer
from apps.kit.fields import AmountField
from apps.kit.models import IdentifiedModel


class NumberSeries(models.Model):
    """The last number that was given in a series. Its row is locked while a number is taken: there are no gaps."""

    class Kind(models.TextChoices):
        INVOICE = "invoice", _("Invoices")
        CREDIT_NOTE = "credit_note", _("Credit notes")

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="number_series")
    kind = models.CharField(max_length=12, choices=Kind)
    last = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "kind"], name="number_series_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.last}"


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def final(self) -> Self:
        """Those that have a number, void ones too."""
        return self.exclude(state=Invoice.State.DRAFT)

    def due(self) -> Self:
        """Those that are still to be paid."""
        return self.filter(state=Invoice.State.OPEN)


class Invoice(IdentifiedModel):
    """What a customer owes for a period, a top-up or one thing. Amounts are in `currency`, in whole minor units.

    Draft: rebuilt as usage comes in. Open: final, has its number. Then paid, void or uncollectible.
    """

    class Kind(models.TextChoices):
        PERIOD = "period", _("Period")
        TOP_UP = "top_up", _("Top-up")
        ONE_OFF = "one_off", _("One-off")

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        OPEN = "open", _("Open")
        PAID = "paid", _("Paid")
        VOID = "void", _("Void")
        UNCOLLECTIBLE = "uncollectible", _("Uncollectible")

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="invoices")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="invoices")
    subscription = models.ForeignKey(Subscription, models.PROTECT, null=True, blank=True, related_name="invoices")
    kind = models.CharField(max_length=10, choices=Kind)
    state = models.CharField(max_length=14, choices=State, default=State.DRAFT)
    key = models.CharField(max_length=128)  # "period:<start>", "top_up:<reference>": a customer has one of each
    version = models.PositiveSmallIntegerField(default=1)  # the invoice in place of a void one counts on
    period_start = models.DateTimeField(null=True, blank=True)  # half-open, in UTC instants
    period_end = models.DateTimeField(null=True, blank=True)

    sequence = models.PositiveIntegerField(null=True, blank=True)  # taken when it becomes final
    number = models.CharField(max_length=40, blank=True)  # prefix and sequence
    finalized_at = models.DateTimeField(null=True, blank=True)
    issued_on = models.DateField(null=True, blank=True)
    due_on = models.DateField(null=True, blank=True)
    seller = models.JSONField(default=dict, encoder=DjangoJSONEncoder)  # as they were when it became final
    buyer = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    currency = models.CharField(max_length=3)
    per_dollar = AmountField(default=1)  # the exchange rate that it goes by
    precise_subtotal = AmountField(default=0)  # before it was rounded
    subtotal = AmountField(default=0)  # the sum of the lines, before discount and tax
    discount = AmountField(default=0)
    discounts = models.JSONField(default=list, encoder=DjangoJSONEncoder)  # [{"name", "amount"}]: what it is made of
    tax = AmountField(default=0)  # of which none is added where prices contain it
    total = AmountField(default=0)
    paid = AmountField(default=0)
    credited = AmountField(default=0)  # by credit notes

    built_at = models.DateTimeField(default=timezone.now)  # a draft: when its lines were computed last
    sent_at = models.DateTimeField(null=True, blank=True)
    reminders = models.PositiveSmallIntegerField(default=0)
    reminded_at = models.DateTimeField(null=True, blank=True)
    stripe_id = models.CharField(max_length=64, blank=True)  # the invoice at the payment provider
    memo = models.TextField(_("note on the invoice"), max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "key"], condition=~Q(state="void"), name="invoice_of_a_period_once"
            ),
            models.UniqueConstraint(fields=["customer", "key", "version"], name="invoice_version_once"),
            models.UniqueConstraint(fields=["organization", "sequence"], name="invoice_sequence_once"),
            models.UniqueConstraint(
                fields=["organization", "number"], condition=~Q(number=""), name="invoice_number_once"
            ),
            models.CheckConstraint(
                condition=Q(state="draft", sequence=None, number="") | ~Q(state="draft") & ~Q(sequence=None),
                name="invoice_numbered_when_final",
            ),
            models.CheckConstraint(
                condition=Q(total__gte=0, paid__gte=0, credited__gte=0), name="invoice_not_negative"
            ),
            models.CheckConstraint(condition=Q(paid__lte=F("total")), name="invoice_not_paid_twice"),
            models.CheckConstraint(condition=Q(credited__lte=F("total")), name="invoice_not_credited_beyond"),
        ]
        indexes = [
            models.Index(fields=["organization", "-created_at"], name="invoices_newest_first"),
            models.Index(fields=["customer", "-period_start"], name="invoices_of_customer"),
            models.Index(fields=["state", "due_on"], name="invoices_due", condition=Q(state="open")),
        ]

    def __str__(self) -> str:
        return self.number or f"draft for {self.customer}"

    @property
    def due(self) -> Decimal:
        """What is still to be paid."""
        return max(self.total - self.paid - self.credited, Decimal(0))

    @property
    def is_final(self) -> bool:
        return self.state != self.State.DRAFT


class InvoiceLine(IdentifiedModel):
    """A line: `precise_amount` as rated, `amount` its share of the rounded subtotal."""

    class Kind(models.TextChoices):
        FEE = "fee", _("Fee")
        USAGE = "usage", _("Usage")
        LATE_USAGE = "late_usage", _("Usage of an earlier period")
        CHARGE = "charge", _("Charge")
        ALLOWANCE = "allowance", _("Included")
        CREDIT = "credit", _("Paid from credit")
        MINIMUM = "minimum", _("Minimum commitment")
        DISCOUNT = "discount", _("Discount")
        ADJUSTMENT = "adjustment", _("Adjustment")
        TOP_UP = "top_up", _("Prepaid credit")

    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=Kind)
    description = models.CharField(max_length=300)
    period_start = models.DateTimeField(null=True, blank=True)  # of the service
    period_end = models.DateTimeField(null=True, blank=True)
    model = models.TextField(blank=True)  # as sold
    token_kind = models.CharField(max_length=24, blank=True)
    quantity = models.DecimalField(max_digits=30, decimal_places=6, null=True, blank=True)
    unit = models.CharField(max_length=24, blank=True)  # "1M tokens", "request", "month"
    unit_price = AmountField(null=True, blank=True)
    precise_amount = AmountField()  # in the invoice's currency
    amount = AmountField(default=0)  # in whole minor units
    tax_percent = models.DecimalField(max_digits=7, decimal_places=4, default=0)
    is_by_hand = models.BooleanField(default=False)  # added by the operator: stays when a draft is built anew
    details = models.JSONField(default=dict, encoder=DjangoJSONEncoder)  # how it was computed

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position_once")]

    def __str__(self) -> str:
        return self.description


class InvoiceTax(models.Model):
    """A tax of an invoice, at one rate."""

    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="taxes")
    name = models.CharField(max_length=80)
    percent = models.DecimalField(max_digits=7, decimal_places=4)
    is_inclusive = models.BooleanField(default=False)
    base = AmountField()  # what it is charged on
    amount = AmountField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["invoice", "name", "percent"], name="invoice_tax_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.percent.normalize():f} %"


class InvoiceTransition(models.Model):
    """When an invoice went from one state to another, and by whom."""

    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="transitions")
    before = models.CharField(max_length=14, blank=True)
    after = models.CharField(max_length=14)
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"

    @property
    def state(self) -> str:
        """What it went to, in words."""
        return str(Invoice.State(self.after).label)


class InvoicedDay(models.Model):
    """What of a day's usage an invoice has on it, by model: what comes later, or changes, is what it lacks.

    Amounts are in USD, as the roll-ups have them. Of void invoices they don't count.
    """

    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="days")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="invoiced_days")
    day = models.DateTimeField()  # as in the roll-ups
    provider = models.TextField()
    model = models.TextField()
    sold_as = models.TextField()
    requests = models.BigIntegerField()
    tokens = models.JSONField(default=dict)  # by kind, those that are not 0
    price = AmountField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invoice", "day", "provider", "model", "sold_as"], name="invoiced_day_once")
        ]
        indexes = [models.Index(fields=["customer", "day"], name="invoiced_days_of_customer")]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.model}"


class CreditNote(IdentifiedModel):
    """Takes back part of an invoice, or all of it: by crediting the wallet, by a refund, or off what is due."""

    class Settlement(models.TextChoices):
        OFFSET = "offset", _("Off what is due")
        CREDIT = "credit", _("As credit in the wallet")
        REFUND = "refund", _("Paid back")

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="credit_notes")
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="credit_notes")
    key = models.CharField(max_length=128)
    sequence = models.PositiveIntegerField()
    number = models.CharField(max_length=40)
    issued_on = models.DateField()
    reason = models.CharField(max_length=300)
    settlement = models.CharField(max_length=8, choices=Settlement)
    subtotal = AmountField()  # in the invoice's currency, whole minor units
    tax = AmountField()
    total = AmountField()
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invoice", "key"], name="credit_note_once"),
            models.UniqueConstraint(fields=["organization", "sequence"], name="credit_note_sequence_once"),
            models.CheckConstraint(
                condition=Q(total__gt=0, total=F("subtotal") + F("tax")), name="credit_note_adds_up"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class CreditNoteLine(models.Model):
    """What a credit note takes back."""

    credit_note = models.ForeignKey(CreditNote, models.PROTECT, related_name="lines")
    line = models.ForeignKey(InvoiceLine, models.PROTECT, null=True, blank=True, related_name="credited")
    description = models.CharField(max_length=300)
    amount = AmountField()  # without tax

    def __str__(self) -> str:
        return self.description
