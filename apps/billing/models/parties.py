"""Who sells and who buys, as invoices name them, and what taxes and currencies apply between them."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.kit.fields import AmountField
from apps.kit.models import IdentifiedModel

USD = "USD"
is_country = RegexValidator(r"^[A-Z]{2}$", _("Two capital letters, as in ISO 3166."))
is_currency = RegexValidator(r"^[A-Z]{3}$", _("Three capital letters, as in ISO 4217."))


class Address(models.Model):
    """A legal person as an invoice names it."""

    legal_name = models.CharField(_("legal name"), max_length=200, blank=True)
    address = models.TextField(_("address"), max_length=500, blank=True)  # lines, as they are printed
    country = models.CharField(_("country"), max_length=2, blank=True, validators=[is_country])
    tax_id = models.CharField(_("tax id"), max_length=40, blank=True)

    class Meta:
        abstract = True


class Seller(Address, IdentifiedModel):
    """How an organization bills: its name and address on invoices, its numbers, terms and reminders.

    There is one for each organization, made when it is first looked for.
    """

    class TaxRounding(models.TextChoices):
        INVOICE = "invoice", _("Once a rate, on the invoice")
        LINE = "line", _("On each line")

    class TaxedWhen(models.TextChoices):
        TOP_UP = "top_up", _("When credit is bought")
        CONSUMPTION = "consumption", _("When credit is used")

    class FinalStep(models.TextChoices):
        NONE = "none", _("Nothing")
        SUSPEND = "suspend", _("Suspend the customer")

    organization = models.OneToOneField(Organization, models.CASCADE, related_name="seller")
    currency = models.CharField(  # of customers that name none
        _("currency"), max_length=3, default=USD, validators=[is_currency]
    )
    email = models.EmailField(_("billing e-mail"), blank=True)
    invoice_prefix = models.CharField(_("prefix of invoice numbers"), max_length=20, default="INV-", blank=True)
    credit_note_prefix = models.CharField(_("prefix of credit notes"), max_length=20, default="CN-", blank=True)
    net_days = models.PositiveSmallIntegerField(_("days to pay"), default=30, validators=[MaxValueValidator(365)])
    grace_days = models.PositiveSmallIntegerField(  # a draft waits so long for late usage
        _("days until an invoice is final"), default=1, validators=[MaxValueValidator(60)]
    )
    finalizes = models.BooleanField(_("finalize drafts when the days are over"), default=True)
    sends = models.BooleanField(_("send invoices by e-mail once they are final"), default=True)
    tax_rounding = models.CharField(max_length=10, choices=TaxRounding, default=TaxRounding.INVOICE)
    taxed_when = models.CharField(max_length=12, choices=TaxedWhen, default=TaxedWhen.TOP_UP)
    payment_terms = models.TextField(  # bank account, payment link: printed on each invoice
        _("how to pay"), max_length=1000, blank=True
    )
    footer = models.TextField(_("footer"), max_length=500, blank=True)
    accent = models.CharField(
        _("colour"), max_length=7, default="#1f5eff", validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$")]
    )
    logo = models.BinaryField(null=True, blank=True, editable=True)  # PNG or JPEG, at most 256 KB
    reminder_days = models.JSONField(default=list)  # [3, 10, 20]: days after it was due on which a reminder goes out
    final_step = models.CharField(max_length=10, choices=FinalStep, default=FinalStep.NONE)
    final_step_days = models.PositiveSmallIntegerField(  # after it was due
        _("days until then"), default=30, validators=[MaxValueValidator(365)]
    )

    def __str__(self) -> str:
        return self.legal_name or self.organization.name


class BillingDetails(Address, IdentifiedModel):
    """How a customer is billed. There is one for each customer, made when it is first looked for."""

    class TaxStatus(models.TextChoices):
        TAXED = "taxed", _("Taxed")
        REVERSE_CHARGE = "reverse_charge", _("Reverse charge")
        EXEMPT = "exempt", _("Exempt")

    customer = models.OneToOneField(Customer, models.CASCADE, related_name="billing_details")
    email = models.EmailField(_("invoices go to"), blank=True)  # "": the customer's own address
    currency = models.CharField(  # "": the seller's; fixed from the first invoice on
        _("currency"), max_length=3, blank=True, validators=[is_currency]
    )
    language = models.CharField(_("language of documents"), max_length=10, default="en")
    tax_status = models.CharField(max_length=16, choices=TaxStatus, default=TaxStatus.TAXED)
    tax_rate = models.ForeignKey(  # by hand; None: by the customer's country
        "billing.TaxRate", models.PROTECT, null=True, blank=True, related_name="+"
    )
    purchase_order = models.CharField(_("purchase order"), max_length=80, blank=True)
    net_days = models.PositiveSmallIntegerField(  # None: the seller's
        _("days to pay"), null=True, blank=True, validators=[MaxValueValidator(365)]
    )
    is_reminded = models.BooleanField(_("reminders of what is overdue"), default=True)
    # The instant at which dunning suspended the customer. As long as it is the one at which the customer was
    # suspended, a payment lets it in again; whom a person suspended, only a person does.
    dunning_suspended_at = models.DateTimeField(null=True, blank=True)
    stripe_id = models.CharField(max_length=64, blank=True)  # the customer at the payment provider

    def __str__(self) -> str:
        return self.legal_name or self.customer.name


class TaxRate(IdentifiedModel):
    """A tax that an organization charges from a date on. Never edited: a later row takes its place."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="tax_rates")
    name = models.CharField(_("name"), max_length=40)  # "VAT"
    country = models.CharField(  # of the customers it is for; "": only of those it is given to by hand
        _("country"), max_length=2, blank=True, validators=[is_country]
    )
    percent = models.DecimalField(
        _("percent"),
        max_digits=7,
        decimal_places=4,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    is_inclusive = models.BooleanField(_("contained in prices"), default=False)
    effective_from = models.DateField(_("from"), default=timezone.localdate)
    retired_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name", "country", "effective_from"], name="tax_rate_from_a_day_once"
            ),
            models.CheckConstraint(condition=Q(percent__gte=0, percent__lte=100), name="tax_rate_is_a_share"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.percent.normalize():f} %"


class ExchangeRate(models.Model):
    """What a dollar is worth, from a day on: prices are in USD, invoices in the customer's currency."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="exchange_rates")
    currency = models.CharField(_("currency"), max_length=3, validators=[is_currency])
    per_dollar = AmountField(_("for one US dollar"))
    effective_from = models.DateField(_("from"), default=timezone.localdate)
    source = models.CharField(max_length=80, blank=True)  # "by hand", "ECB"
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "currency", "effective_from"], name="exchange_rate_of_a_day_once"
            ),
            models.CheckConstraint(condition=Q(per_dollar__gt=0), name="exchange_rate_positive"),
        ]

    def __str__(self) -> str:
        return f"1 USD = {self.per_dollar.normalize():f} {self.currency} from {self.effective_from}"
