"""What customers pay: rate cards, for operators; a customer's price list, for it and its operator."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.base import ApiView
from apps.api.v1.fields import Amount, Instant, Text, Told
from apps.api.v1.paging import cut, newest_first, offset_of, page
from apps.api.v1.params import Paged
from apps.api.v1.schema import operation, page_of
from apps.pricing.card_book import told_of
from apps.pricing.models import RateCard
from apps.usage.price_list import Offer, price_list

TAG = "Prices"
RULE = {"match": "gpt-5*", "mode": "absolute", "rates": {"input": "1.5", "output": "12"}, "floor": "0.0001"}
CARD = {
    "id": "0192f3c1-8c20-7b11-9d3e-5a1f0c7e2b44",
    "name": "Retail",
    "customer": None,
    "versions": [
        {"number": 1, "effective_from": "2026-03-01T00:00:00Z", "note": "", "rules": [RULE]},
    ],
}
OFFER = {
    "model": "gpt-5",
    "is_known": True,
    "tiers": [{"above": None, "tokens": {"input": "1.5", "output": "12"}}],
    "units": {"web_search": "0.02"},
    "per_request": "0",
    "floor": "0.0001",
    "ceiling": None,
}


class VersionSerializer(serializers.Serializer[Any]):
    """A card's rules from a time until a later version takes their place."""

    number = serializers.IntegerField(help_text="In the order in which they were made.")
    effective_from = Instant()
    note = serializers.CharField()
    rules = serializers.ListField(child=serializers.DictField(), help_text="Those that go first in front.")


class RateCardSerializer(Told):
    """Rules by which customers are charged."""

    id = serializers.UUIDField()
    name = serializers.CharField(help_text="Empty: a customer's own rates.")
    customer = serializers.UUIDField(allow_null=True, help_text="Whose own rates they are; null: anybody's.")
    versions = VersionSerializer(many=True)


class RateCardList(ApiView):
    @operation(
        "prices:read",
        "List rate cards",
        name="list_rate_cards",
        tag=TAG,
        params=Paged,
        answer=page_of(RateCardSerializer),
        example={"data": [CARD], "next": None},
    )
    def get(self, request: Request) -> Response:
        """Cards that customers can be put on, and customers' own rates, the newest first."""
        cards, after = newest_first(self.organization.rate_cards.all(), Paged.of(request))
        return page([card_told(card) for card in cards], after)


class RateCardDetail(ApiView):
    @operation(
        "prices:read",
        "Get a rate card",
        name="get_rate_card",
        tag=TAG,
        answer=RateCardSerializer,
        example=CARD,
        errors=(404,),
    )
    def get(self, request: Request, card_id: UUID) -> Response:
        """A card with all its versions."""
        return Response(card_told(get_object_or_404(self.organization.rate_cards, pk=card_id)))


def card_told(card: RateCard) -> dict[str, Any]:
    """A card with all its versions."""
    versions = card.versions.order_by("number").prefetch_related("rules")
    told: dict[str, Any] = RateCardSerializer(
        {
            "id": card.pk,
            "name": card.name,
            "customer": card.customer_id,
            "versions": [
                {
                    "number": version.number,
                    "effective_from": version.effective_from,
                    "note": version.note,
                    "rules": [told_of(row).as_told() for row in sorted(version.rules.all(), key=lambda row: row.pk)],
                }
                for version in versions
            ],
        }
    ).data
    return told


class TierSerializer(serializers.Serializer[Any]):
    """What tokens cost, for calls with more than so many of input."""

    above = serializers.IntegerField(allow_null=True, help_text="null: for all others.")
    tokens = serializers.DictField(
        child=Amount(), help_text="USD a million, by kind; others cost what input or output does."
    )


class OfferSerializer(Told):
    """What the customer pays for a model."""

    model = serializers.CharField(help_text="As it is called.")
    is_known = serializers.BooleanField(help_text="false: its price is not known yet.")
    tiers = TierSerializer(many=True, help_text="Empty: tokens are free, or their price is not known.")
    units = serializers.DictField(child=Amount(), help_text="USD for one of what is charged by the piece.")
    per_request = Amount(help_text="USD, for each call beside that.")
    floor = Amount(allow_null=True, help_text="USD: no call costs less.")
    ceiling = Amount(allow_null=True, help_text="USD: no call costs more.")


class PriceListParams(Paged):
    search = Text(required=False, max_length=128, help_text="Part of the model's name.")


class CustomerPrices(ApiView):
    @operation(
        "customers:read",
        "List what a customer pays",
        name="list_customer_prices",
        tag=TAG,
        params=PriceListParams,
        answer=page_of(OfferSerializer),
        example={"data": [OFFER], "next": None},
        errors=(404,),
    )
    def get(self, request: Request, customer_id: UUID) -> Response:
        """Of each model that it may call, by name, as of now."""
        customer = self.customer_or_404(customer_id)
        params = PriceListParams.of(request)
        wanted, offset = params.get("search", "").lower(), offset_of(params)
        offers = [offer for offer in price_list(customer, at=timezone.now()) if wanted in offer.name.lower()]
        found, after = cut(offers[offset : offset + params["limit"] + 1], params, offset)
        return page([_told_offer(offer) for offer in found], after)


def _told_offer(offer: Offer) -> dict[str, Any]:
    shown = offer.shown
    told: dict[str, Any] = OfferSerializer(
        {
            "model": offer.name,
            "is_known": shown is not None,
            "tiers": [{"above": tier.above, "tokens": tier.tokens} for tier in shown.tiers] if shown else [],
            "units": shown.units if shown else {},
            "per_request": shown.per_request if shown else 0,
            "floor": shown.floor if shown else None,
            "ceiling": shown.ceiling if shown else None,
        }
    ).data
    return told
