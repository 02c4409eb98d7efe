"""What customers subscribe to. A plan's terms are versions, never edited; a subscription is on one of them."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.billing.models.parties import USD
from apps.customers.models import Customer
from apps.kit.fields import AmountField
from apps.kit.models import IdentifiedModel


class Plan(IdentifiedModel):
    """What an organization offers, under one name."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="plans")
    name = models.CharField(_("name"), max_length=80)
    slug = models.SlugField(max_length=63)
    description = models.TextField(_("description"), max_length=500, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)  # nobody new may subscribe
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "slug"], name="plan_slug_unique")]

    def __str__(self) -> str:
        return self.name


class PlanVersion(IdentifiedModel):
    """The terms of a plan as they were at one time. Never edited: a change is the next version.

    `charges`, `allowances`: lists of what `apps.billing.charges` reads; amounts as decimal text.
    Charges price usage by tiers over a period, in place of what its requests were priced at one by one:
        {"name": "GPT-4o", "models": "gpt-4o*", "metric": "input_tokens" | "output_tokens" | "tokens" | "requests"
         | "price", "mode": "graduated" | "volume" | "package", "per": "1000000", "tiers": [{"up_to": "…" | null,
         "unit": "…", "flat": "…"}], "free": "0", "package_size": "…", "minimum": "…", "maximum": "…"}
    Allowances of tokens or requests are free units of the models they name, before they are priced:
        {"name": "…", "models": "*", "metric": "tokens", "quantity": "1000000", "rolls_over": false}
    An allowance of money is `allowance`: credit in the customer's wallet at the start of each period.
    """

    class Interval(models.TextChoices):
        MONTH = "month", _("Month")
        QUARTER = "quarter", _("Quarter")
        YEAR = "year", _("Year")
        WEEK = "week", _("Week")

    class Alignment(models.TextChoices):
        CALENDAR = "calendar", _("The calendar’s")
        ANNIVERSARY = "anniversary", _("From the day it began")

    class FeeDue(models.TextChoices):
        ADVANCE = "advance", _("In advance")
        ARREARS = "arrears", _("In arrears")

    class Settlement(models.TextChoices):
        POSTPAID = "postpaid", _("Postpaid: usage is on the invoice")
        PREPAID = "prepaid", _("Prepaid: usage is paid from credit")
        CREDIT_FIRST = "credit_first", _("Credit first, the rest on the invoice")

    plan = models.ForeignKey(Plan, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    currency = models.CharField(max_length=3, default=USD)  # of fee, allowance, minimum and charges
    interval = models.CharField(max_length=8, choices=Interval, default=Interval.MONTH)
    alignment = models.CharField(max_length=12, choices=Alignment, default=Alignment.CALENDAR)
    fee = AmountField(_("fee"), default=0, validators=[MinValueValidator(0)])
    fee_due = models.CharField(max_length=8, choices=FeeDue, default=FeeDue.ADVANCE)
    settlement = models.CharField(max_length=12, choices=Settlement, default=Settlement.POSTPAID)
    allowance = AmountField(_("usage included"), default=0, validators=[MinValueValidator(0)])
    allowance_rolls_over = models.BooleanField(_("what is left goes on to the next period"), default=False)
    allowances = models.JSONField(default=list)
    charges = models.JSONField(default=list)
    minimum = AmountField(_("minimum commitment"), default=0, validators=[MinValueValidator(0)])
    discount_percent = models.DecimalField(
        _("discount"), max_digits=7, decimal_places=4, default=0,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )  # fmt: skip
    trial_days = models.PositiveSmallIntegerField(_("days of trial"), default=0)
    rate_card_id = models.UUIDField(null=True, blank=True)  # by which its requests are priced; a card of `pricing`
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["plan", "number"], name="plan_version_once"),
            models.CheckConstraint(
                condition=Q(fee__gte=0, allowance__gte=0, minimum__gte=0), name="plan_version_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan} {self.number}"


class Subscription(IdentifiedModel):
    """A customer on a plan, from an instant to another. At most one at a time.

    A change of plan ends one and begins the next, at once or at the end of the period.
    """

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="subscriptions")
    version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="subscriptions")
    starts_at = models.DateTimeField()  # a midnight of the organization's zone
    ends_at = models.DateTimeField(null=True, blank=True)  # the first instant without it
    anchor_on = models.DateField()  # the day that periods are counted from: 31 stays 31, where a month has one
    time_zone = models.CharField(max_length=64)  # in which they are counted
    trial_ends_at = models.DateTimeField(null=True, blank=True)
    began_at = models.DateTimeField(null=True, blank=True)  # when what begins with it was done: services/beginnings.py
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "starts_at"], name="subscription_from_an_instant_once"),
            models.UniqueConstraint(fields=["customer"], condition=Q(ends_at=None), name="subscription_open_once"),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")), name="subscription_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} on {self.version}"


class Coupon(IdentifiedModel):
    """A discount that customers get for some periods."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="coupons")
    code = models.CharField(_("code"), max_length=40)
    percent = models.DecimalField(
        _("percent"), max_digits=7, decimal_places=4, null=True, blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )  # fmt: skip
    amount = AmountField(_("amount"), null=True, blank=True)
    currency = models.CharField(max_length=3, default=USD)
    periods = models.PositiveSmallIntegerField(_("for how many periods"), null=True, blank=True)  # None: for ever
    retired_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "code"], name="coupon_code_unique"),
            models.CheckConstraint(
                condition=Q(percent=None, amount__gt=0) | Q(amount=None, percent__gt=0, percent__lte=100),
                name="coupon_is_percent_or_amount",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class AppliedCoupon(models.Model):
    """A coupon that a customer has, and how many of its periods are left."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="coupons")
    coupon = models.ForeignKey(Coupon, models.PROTECT, related_name="applied")
    periods_left = models.PositiveSmallIntegerField(null=True, blank=True)  # None: for ever
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "coupon"], condition=Q(removed_at=None), name="coupon_applied_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.coupon} of {self.customer}"
