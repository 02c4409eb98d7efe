"""Rate cards, changed: versions from a date on, who is on which, a customer's own rates. Operators.

Nothing is edited, and nothing begins in the past: what was charged keeps the rule that it was charged by.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.base import ApiView
from apps.api.v1.billing_inputs import WRITES, begins_at, one_of
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Amount, Flag, Instant, Told
from apps.api.v1.rate_cards import CARD, RULE, TAG, RateCardDetail, RateCardList, RateCardSerializer, card_told
from apps.api.v1.rate_inputs import (
    NewRateCardSerializer,
    RateCardNameSerializer,
    RulesSerializer,
    TrialSerializer,
    UseSerializer,
    cleaned,
)
from apps.api.v1.schema import operation
from apps.pricing.models import RateCard
from apps.pricing.rate_cards import (
    add_rate_card,
    delete_rate_card,
    rename_rate_card,
    set_own_rates,
    set_rates,
    withdraw_rates,
)
from apps.usage.queries import named_period
from apps.usage.rate_preview import Preview, Sums, preview_card, preview_own

SENT = {"rules": [RULE], "effective_from": "2030-01-01T00:00:00Z"}
OWN = CARD | {"name": "", "customer": "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11"}
SUMS = {"requests": 1204, "cost": "8.1", "price": "9.72", "would_be": "11.4", "unknown": 0}
TRIAL = {
    "since": "2026-02-01T00:00:00Z",
    "until": "2026-03-01T00:00:00Z",
    "is_partial": False,
    "total": SUMS,
    "models": [{"model": "gpt-5", **SUMS}],
}


class RateCards(RateCardList):
    @operation(
        "prices:write", "Add a rate card", name="add_rate_card", tag=TAG, body=NewRateCardSerializer,
        answer=RateCardSerializer, status=201, example=CARD, sent={"name": "Retail", "rules": [RULE]},
        errors=(409, 415), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """With its first version. A name that there is already is refused, so sent twice it is there once."""
        sent = read_body(NewRateCardSerializer, request)
        sent["effective_from"] = begins_at(sent)
        return Response(card_told(add_rate_card(self.organization, by=None, **sent)), status=201)


class RateCardChanges(RateCardDetail):
    @operation(
        "prices:write", "Rename a rate card", name="rename_rate_card", tag=TAG, body=RateCardNameSerializer,
        answer=RateCardSerializer, example=CARD, sent={"name": "Retail"}, errors=WRITES, is_operators=True,
    )  # fmt: skip
    def patch(self, request: Request, card_id: UUID) -> Response:
        """Its rules stay as they are."""
        card = get_object_or_404(self.organization.rate_cards.filter(customer=None), pk=card_id)
        return Response(card_told(rename_rate_card(card, by=None, **read_body(RateCardNameSerializer, request))))

    @operation(
        "prices:write", "Delete a rate card", name="delete_rate_card", tag=TAG, status=204, errors=(404,),
        is_operators=True,
    )  # fmt: skip
    def delete(self, request: Request, card_id: UUID) -> Response:
        """Only one that nobody was ever on: what was sold by it keeps its rules."""
        delete_rate_card(get_object_or_404(self.organization.rate_cards, pk=card_id), by=None)
        return Response(status=204)


class RateCardVersions(ApiView):
    @operation(
        "prices:write", "Set a card's rates", name="set_rates", tag=TAG, body=RulesSerializer,
        answer=RateCardSerializer, status=201, example=CARD, sent=SENT, errors=WRITES, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, card_id: UUID) -> Response:
        """A new version from a time on: all its rules. None at all: nothing is sold by the card any more."""
        card, sent = get_object_or_404(self.organization.rate_cards, pk=card_id), read_body(RulesSerializer, request)
        set_rates(card, by=None, **sent | {"effective_from": begins_at(sent)})
        return Response(card_told(card), status=201)


class RateCardVersion(ApiView):
    @operation(
        "prices:write", "Take back a version", name="withdraw_rates", tag=TAG, status=204, errors=(404,),
        is_operators=True,
    )  # fmt: skip
    def delete(self, request: Request, card_id: UUID, number: int) -> Response:
        """One that has not begun: of one that has, requests may have been charged by it."""
        card = get_object_or_404(self.organization.rate_cards, pk=card_id)
        version = get_object_or_404(card.versions.select_related("card"), number=number)
        withdraw_rates(version, by=None, at=timezone.now())
        return Response(status=204)


class OwnRates(ApiView):
    @operation(
        "prices:read", "Get a customer's own rates", name="get_own_rates", tag=TAG, answer=RateCardSerializer,
        example=OWN, errors=(404,), is_operators=True,
    )  # fmt: skip
    def get(self, request: Request, customer_id: UUID) -> Response:
        """They go before those of any card. Not found where it never had any."""
        customer = self.customer_or_404(customer_id)
        return Response(card_told(get_object_or_404(RateCard, customer=customer, organization=self.organization)))

    @operation(
        "prices:write", "Set a customer's own rates", name="set_own_rates", tag=TAG, body=RulesSerializer,
        answer=RateCardSerializer, status=201, example=OWN, sent=SENT, errors=WRITES, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, customer_id: UUID) -> Response:
        """A new version of them from a time on. No rules at all: its card holds again."""
        customer, sent = self.customer_or_404(customer_id), read_body(RulesSerializer, request)
        version = set_own_rates(customer, by=None, **sent | {"effective_from": begins_at(sent)})
        return Response(card_told(version.card), status=201)


class SumsSerializer(Told):
    """Of some requests, in USD: what they cost, were charged, and would be charged."""

    requests = serializers.IntegerField()
    cost = Amount()
    price = Amount()
    would_be = Amount()
    unknown = serializers.IntegerField(help_text="That would have no price: nobody knows their cost.")


class ModelSumsSerializer(SumsSerializer):
    """Of a model."""

    model = serializers.CharField(help_text="As the customer knows it.")


class TrialToldSerializer(Told):
    """A customer's requests of some time under other rules."""

    since = Instant()
    until = Instant()
    is_partial = Flag(help_text="There were too many: these are the newest.")
    total = SumsSerializer()
    models = ModelSumsSerializer(many=True, help_text="Those that change most in front.")


class RateTrial(ApiView):
    @operation(
        "prices:read", "Try rules out", name="try_rates", tag=TAG, body=TrialSerializer,
        answer=TrialToldSerializer, example=TRIAL, errors=(404, 415), is_operators=True,
        sent={"customer": "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11", "rules": [RULE]},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """What a customer's requests would have come to under these rules. Nothing is changed."""
        sent, at = read_body(TrialSerializer, request), timezone.now()
        customer, rules = self.customer_or_404(sent["customer"]), cleaned(sent["rules"])
        period = named_period(sent["period"], at, self.zone)
        found = (preview_own if sent["is_own"] else preview_card)(customer, rules, period, at=at)
        return Response(TrialToldSerializer(_told(found)).data)


def card_of(view: ApiView, wanted: UUID | None) -> RateCard | None:
    """A card of the organization's that customers can be put on. Raises ValidationError."""
    return None if wanted is None else one_of(view.organization.rate_cards.filter(customer=None), wanted, "card")


def use_of(view: ApiView, request: Request) -> dict[str, Any]:
    """Which card, and from when on. Raises ValidationError."""
    sent = read_body(UseSerializer, request)
    effective_from: datetime = begins_at(sent)
    return {"card": card_of(view, sent["card"]), "effective_from": effective_from}


def _told(found: Preview) -> dict[str, Any]:
    return {
        "since": found.period.since,
        "until": found.period.until,
        "is_partial": found.is_partial,
        "total": found.total,
        "models": [{"model": model} | _of(sums) for model, sums in found.rows()],
    }


def _of(sums: Sums) -> dict[str, Any]:
    return {name: getattr(sums, name) for name in ("requests", "cost", "price", "would_be", "unknown")}
