"""The price book: what calls are charged by. Operators."""

from typing import Any

from django.db.models import Q
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.base import ApiView
from apps.api.v1.fields import Instant, Text, Told
from apps.api.v1.paging import as_cursor, page, parts_of
from apps.api.v1.params import Paged
from apps.api.v1.schema import operation, page_of
from apps.pricing.models import ModelPrice

TAG = "Prices"
MOST_ID = 2**63 - 1
EXAMPLE = {
    "id": 4711,
    "provider": "openai",
    "model": "gpt-4o-mini",
    "is_own": False,
    "rates": {"input": "0.15", "cache_read": "0.075", "output": "0.6"},
    "tiers": [],
    "units": {},
    "services": {},
    "hours": [],
    "max_output_tokens": 16384,
    "effective_from": "2024-07-18T00:00:00Z",
    "source": "genai-prices",
}


class PriceSerializer(Told):
    """A provider's price for a model, from a time until a later row takes its place."""

    id = serializers.IntegerField()
    provider = serializers.CharField()
    model = serializers.CharField()
    is_own = serializers.SerializerMethodField(help_text="Your own rate: it goes before the list price.")
    rates = serializers.DictField(child=serializers.CharField(), help_text="USD a million tokens, by their kind.")
    tiers = serializers.ListField(child=serializers.DictField(), help_text="Rates above a length of the input.")
    units = serializers.DictField(
        child=serializers.CharField(), help_text="USD for one of what is charged by the piece."
    )
    services = serializers.DictField(help_text="What differs in a service tier.")
    hours = serializers.ListField(child=serializers.DictField(), help_text="Rates at hours of the day, in UTC.")
    max_output_tokens = serializers.IntegerField(allow_null=True)
    effective_from = Instant()
    source = serializers.CharField()

    def get_is_own(self, price: ModelPrice) -> bool:
        return price.organization_id is not None


class PriceParams(Paged):
    provider = Text(required=False, max_length=40)
    model = Text(required=False, max_length=128, help_text="The model's name, as the provider has it.")


class PriceList(ApiView):
    @operation(
        "prices:read",
        "List model prices",
        name="list_prices",
        tag=TAG,
        params=PriceParams,
        answer=page_of(PriceSerializer),
        example={"data": [EXAMPLE], "next": None},
    )
    def get(self, request: Request) -> Response:
        """List prices and your own, those that were and those to come, the newest row first."""
        params = PriceParams.of(request)
        prices = ModelPrice.objects.filter(Q(organization=None) | Q(organization=self.organization))
        prices = prices.filter(**{name: params[name] for name in ("provider", "model") if params.get(name)})
        if parts := parts_of(params, row_id):
            prices = prices.filter(pk__lt=parts[0])
        limit = params["limit"]
        found = list(prices.order_by("-pk")[: limit + 1])
        after = as_cursor(found[limit - 1].pk) if len(found) > limit else None
        return page(PriceSerializer(found[:limit], many=True).data, after)


def row_id(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST_ID:
        raise ValueError
    return value
