"""The price book: what providers charge, by date, and what an operator says they charge it."""

from django.db import models
from django.utils import timezone

from apps.accounts.models import Organization


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
