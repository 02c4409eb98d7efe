"""The price book: what providers charge, by date. And rate cards: what customers pay, by date."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization, User
from apps.customers.models import Customer
from apps.kit.fields import AmountField
from apps.kit.models import IdentifiedModel
from apps.pricing.globs import LONGEST


class ModelPrice(models.Model):
    """A provider's price for a model from `effective_from` until a later row takes its place.

    Rows are never edited, but for the context window, which prices nothing: a request keeps the id of the row that
    priced it. A row with an
    organization is that operator's own rate and goes before the list price.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, null=True, blank=True, related_name="model_prices")
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=128)  # the provider's canonical name
    match = models.JSONField(default=dict)  # which names mean this model; see matching.py
    rates = models.JSONField()  # {"input": "2.5", "output": "10"}: USD a million tokens; "request": USD a call
    tiers = models.JSONField(default=list)  # [{"above": 200000, "rates": {…}}]: whole request, by its full input
    units = models.JSONField(default=dict)  # {"web_search": "0.01"}: USD for one of what is charged by the piece
    services = models.JSONField(default=dict)  # {"flex": {"rates": {…}, "tiers": […]}}: what differs in a service tier
    hours = models.JSONField(default=list)  # [{"days": "12345", "from": "01:00", "until": "04:00", "rates": {…}}]: UTC
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    context_window = models.PositiveIntegerField(null=True, blank=True)  # tokens of input, and more, that it takes
    effective_from = models.DateTimeField()
    source = models.CharField(max_length=80)  # "genai-prices 0.2.3", "operator"
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "provider", "model", "effective_from"],
                name="one_price_from_an_instant",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model} from {self.effective_from:%Y-%m-%d}"


class RateCard(IdentifiedModel):
    """Rules by which customers are charged: for whoever is put on it, or a customer's own, which go before those.

    A foreign key in migration 0006 sees to it that the customer belongs to the `organization`.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="rate_cards")
    customer = models.ForeignKey(  # whose own rates they are; None: a card that customers are put on
        Customer, models.CASCADE, null=True, blank=True, related_name="own_rates"
    )
    name = models.CharField(_("name"), max_length=80, blank=True)  # "": a customer's own rates have none
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                name="rate_card_name_unique",
                condition=Q(customer=None),
                violation_error_message=_("There is a rate card of this name already."),
            ),
            models.UniqueConstraint(fields=["customer"], name="own_rates_once"),
            models.CheckConstraint(condition=Q(customer__isnull=False) | ~Q(name=""), name="rate_card_has_a_name"),
            models.UniqueConstraint(fields=["organization", "id"], name="rate_card_of_organization"),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.customer}"


class RateCardVersion(models.Model):
    """The rules of a card from `effective_from` until a later version takes their place. Never edited."""

    card = models.ForeignKey(RateCard, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()  # 1, 2, …: in the order in which they were made
    effective_from = models.DateTimeField()
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["card", "number"], name="rate_card_version_numbered_once"),
            models.UniqueConstraint(fields=["card", "effective_from"], name="one_rate_card_version_from_an_instant"),
        ]

    def __str__(self) -> str:
        return f"{self.card}, version {self.number}"


class RateRule(models.Model):
    """How the models that `match` means are sold. Never edited: a request keeps the id of the rule that priced it."""

    class Mode(models.TextChoices):
        """How a rule makes a price; rules.Mode."""

        COST_PLUS = "cost_plus", _("Cost plus a markup")
        ABSOLUTE = "absolute", _("Own prices")
        FREE = "free", _("Free")

    version = models.ForeignKey(RateCardVersion, models.CASCADE, related_name="rules")
    match = models.CharField(max_length=LONGEST)  # see globs.py
    mode = models.CharField(max_length=10, choices=Mode)
    markup_percent = models.DecimalField(max_digits=9, decimal_places=4, null=True)
    markups = models.JSONField(default=dict)  # {"output": "30"}: percent, where it is another than that
    rates = models.JSONField(default=dict)  # {"input": "2.5"}: USD a million tokens
    units = models.JSONField(default=dict)  # {"web_search": "0.01"}: USD for one of what is charged by the piece
    per_request = AmountField(default=0)  # USD, added to each call
    floor = AmountField(null=True)  # USD: no call's price is less
    ceiling = AmountField(null=True)  # nor more

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "match"], name="rate_rule_once"),
            models.CheckConstraint(
                condition=Q(mode="cost_plus", markup_percent__gte=-100)
                | (~Q(mode="cost_plus") & Q(markup_percent=None)),
                name="rate_rule_has_its_markup",
            ),
            models.CheckConstraint(
                condition=Q(floor=None) | Q(ceiling=None) | Q(floor__lte=F("ceiling")),
                name="rate_rule_floor_below_ceiling",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.match}: {self.get_mode_display()}"


class RateCardUse(models.Model):
    """Which card a customer is on, from `effective_from` until a later row takes its place. Never edited.

    Without a customer: the organization's default card. by_plan: where the customer's plan has put it, which a card
    that it was put on by hand goes before. Foreign keys in migration 0006 hold both to the `organization`.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="rate_card_uses")
    customer = models.ForeignKey(Customer, models.CASCADE, null=True, blank=True, related_name="rate_card_uses")
    by_plan = models.BooleanField(default=False)
    card = models.ForeignKey(  # None: on none from then on
        RateCard, models.RESTRICT, null=True, blank=True, related_name="uses"
    )
    effective_from = models.DateTimeField()
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "customer", "by_plan", "effective_from"],
                name="one_rate_card_from_an_instant",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(by_plan=False) | Q(customer__isnull=False), name="plan_is_a_customers"),
        ]

    def __str__(self) -> str:
        return f"{self.customer or self.organization} on {self.card or '–'} from {self.effective_from:%Y-%m-%d}"
