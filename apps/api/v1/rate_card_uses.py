"""Who is on which rate card: a customer, and all who are on none. Operators."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.base import ApiView
from apps.api.v1.billing_inputs import WRITES
from apps.api.v1.fields import Amount, Instant, Told
from apps.api.v1.rate_card_changes import use_of
from apps.api.v1.rate_cards import TAG
from apps.api.v1.rate_inputs import UseSerializer
from apps.api.v1.schema import operation
from apps.customers.models import Customer
from apps.pricing.card_book import default_card, layers_of
from apps.pricing.models import RateCardUse
from apps.pricing.rate_cards import use_rate_card

ID = "0192f3c1-8c20-7b11-9d3e-5a1f0c7e2b44"
NAMED = {"id": ID, "name": "Retail"}
USE = {"card": NAMED, "effective_from": "2026-03-01T00:00:00Z"}
HOLDS = {
    "customer": "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11",
    "own": None,
    "card": NAMED,
    "plan_card": None,
    "default": None,
    "markup_percent": "20",
    "uses": [USE],
}
DEFAULT = {"card": NAMED, "uses": [USE]}


class NamedCardSerializer(Told):
    """A card."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class UseToldSerializer(Told):
    """A card from a time until a later one takes its place."""

    card = NamedCardSerializer(allow_null=True, help_text="null: none.")
    effective_from = Instant()


class HoldsSerializer(Told):
    """What a customer is sold to by now, that which goes first in front. null: it has none of these."""

    customer = serializers.UUIDField()
    own = serializers.IntegerField(allow_null=True, help_text="The number of the version of its own rates.")
    card = NamedCardSerializer(allow_null=True, help_text="That it was put on by hand.")
    plan_card = NamedCardSerializer(allow_null=True, help_text="That its plan has put it on.")
    default = NamedCardSerializer(allow_null=True, help_text="For all who are on none.")
    markup_percent = Amount(help_text="On the cost of what none of these has a rule for.")
    uses = UseToldSerializer(many=True, help_text="Cards by hand, those to come too: the newest first.")


class DefaultSerializer(Told):
    """The card of all who are on none."""

    card = NamedCardSerializer(allow_null=True, help_text="null: cost with the markup.")
    uses = UseToldSerializer(many=True, help_text="Those to come too: the newest first.")


class CustomerRateCard(ApiView):
    @operation(
        "prices:read", "Get a customer's rate card", name="get_customer_rate_card", tag=TAG, answer=HoldsSerializer,
        example=HOLDS, errors=(404,), is_operators=True,
    )  # fmt: skip
    def get(self, request: Request, customer_id: UUID) -> Response:
        """All that holds for it, in the order in which it is looked for."""
        return Response(_holds(self.customer_or_404(customer_id)))

    @operation(
        "prices:write", "Put a customer on a rate card", name="set_customer_rate_card", tag=TAG, body=UseSerializer,
        answer=HoldsSerializer, example=HOLDS, sent={"card": ID}, errors=WRITES, is_operators=True,
    )  # fmt: skip
    def put(self, request: Request, customer_id: UUID) -> Response:
        """From a time on. Said again, it changes nothing."""
        customer = self.customer_or_404(customer_id)
        use_rate_card(self.organization, customer, by=None, **use_of(self, request))
        return Response(_holds(customer))


class DefaultRateCard(ApiView):
    @operation(
        "prices:read", "Get the default rate card", name="get_default_rate_card", tag=TAG, answer=DefaultSerializer,
        example=DEFAULT, is_operators=True,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """By which all are sold to who are on none."""
        return Response(self.default())

    @operation(
        "prices:write", "Set the default rate card", name="set_default_rate_card", tag=TAG, body=UseSerializer,
        answer=DefaultSerializer, example=DEFAULT, sent={"card": ID}, errors=(409, 415), is_operators=True,
    )  # fmt: skip
    def put(self, request: Request) -> Response:
        """From a time on. Said again, it changes nothing."""
        use_rate_card(self.organization, None, by=None, **use_of(self, request))
        return Response(self.default())

    def default(self) -> dict[str, Any]:
        """As it is now."""
        uses = self.organization.rate_card_uses.filter(customer=None).select_related("card")
        card = default_card(self.organization.pk, timezone.now())
        told: dict[str, Any] = DefaultSerializer({"card": card, "uses": _newest_first(uses)}).data
        return told


def _holds(customer: Customer) -> dict[str, Any]:
    own, card, plan_card, default = layers_of(customer, timezone.now())
    uses = customer.rate_card_uses.filter(by_plan=False).select_related("card")
    told: dict[str, Any] = HoldsSerializer(
        {
            "customer": customer.pk,
            "own": own.number if own else None,
            "card": card,
            "plan_card": plan_card,
            "default": default,
            "markup_percent": customer.effective_markup_percent,
            "uses": _newest_first(uses),
        }
    ).data
    return told


def _newest_first(uses: Iterable[RateCardUse]) -> list[dict[str, Any]]:
    ordered = sorted(uses, key=lambda use: (use.effective_from, use.pk), reverse=True)
    return [{"card": use.card, "effective_from": use.effective_from} for use in ordered]
