"""Who takes an organization's money, and what it told of that has no payment here. Operators."""

from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.billing import TAG, BillingView
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Asked, Flag, Instant, Text, Told
from apps.api.v1.paging import as_cursor, page, parts_of
from apps.api.v1.params import Paged
from apps.api.v1.payments import DETAIL, PaymentDetailSerializer
from apps.api.v1.prices import row_id
from apps.api.v1.schema import operation, page_of
from apps.billing.models import PaymentEvent, PaymentProviderSettings
from apps.billing.payments.registry import STRIPE
from apps.billing.queries.payments import events_to_see_to
from apps.billing.services.payment_events import dismiss_event, process_event, take_as_payment
from apps.billing.services.payment_settings import check_stripe, remove_stripe, set_up_stripe

SETUP = {
    "provider": "stripe",
    "is_on": True,
    "collects": "link",
    "key_hint": "test …4242",
    "webhook_hint": "…9f0e",
    "webhook_url": "https://tollgate.example.com/billing/stripe/0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11/",
    "checked_at": "2026-03-01T09:00:00Z",
}
EVENT = {
    "id": "evt_1OqX",
    "provider": "stripe",
    "kind": "payment_intent.succeeded",
    "outcome": "unmatched",
    "attempts": 1,
    "error": "",
    "received_at": "2026-03-10T12:00:00Z",
    "processed_at": "2026-03-10T12:00:01Z",
}


class SetupSerializer(Told):
    """An account at a payment provider, without its secrets."""

    provider = serializers.CharField()
    is_on = serializers.BooleanField()
    collects = serializers.ChoiceField(
        choices=PaymentProviderSettings.Collects.values, help_text="What happens to final invoices."
    )
    key_hint = serializers.CharField()
    webhook_hint = serializers.CharField()
    webhook_url = serializers.SerializerMethodField(help_text="Where the provider is to tell of payments.")
    checked_at = Instant(allow_null=True, help_text="When it last took the key.")

    def get_webhook_url(self, row: PaymentProviderSettings) -> str:
        return f"{settings.PUBLIC_URL}{reverse('billing:stripe-webhook', args=[row.organization_id])}"


class SetupChangesSerializer(Asked):
    """An account at Stripe. A secret that is left out stays as it is."""

    secret_key = Text(max_length=300, required=False, help_text="Begins with sk_ or rk_. Not shown again.")
    webhook_secret = Text(max_length=300, required=False, help_text="Begins with whsec_. Not shown again.")
    collects = serializers.ChoiceField(
        choices=PaymentProviderSettings.Collects.values, default=PaymentProviderSettings.Collects.LINK
    )
    is_on = Flag(default=True)


class PaymentEventSerializer(Told):
    """What a payment provider told of, and nobody here waited for, or what could not be done."""

    id = serializers.CharField(source="event_id")
    provider = serializers.CharField()
    kind = serializers.CharField()
    outcome = serializers.ChoiceField(choices=PaymentEvent.Outcome.values, help_text="Empty: it waits.")
    attempts = serializers.IntegerField()
    error = serializers.CharField()
    received_at = Instant()
    processed_at = Instant(allow_null=True)


class PaymentSetup(BillingView):
    @operation(
        "billing:read", "Get the payment provider", name="get_payment_provider", tag=TAG, answer=SetupSerializer,
        example=SETUP, errors=(404,), is_operators=True,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """Not found where payments go by bank transfer alone."""
        row = get_object_or_404(self.organization.payment_providers.filter(provider=STRIPE))
        return Response(SetupSerializer(row).data)

    @operation(
        "billing:write", "Set the payment provider", name="set_payment_provider", tag=TAG,
        body=SetupChangesSerializer, answer=SetupSerializer, example=SETUP, errors=(409, 415),
        sent={"secret_key": "sk_test_…", "webhook_secret": "whsec_…", "collects": "charge"}, is_operators=True,
    )  # fmt: skip
    def put(self, request: Request) -> Response:
        """Stripe. Its secrets go into the vault, and into no answer."""
        row = set_up_stripe(self.organization, by=None, **read_body(SetupChangesSerializer, request))
        return Response(SetupSerializer(row).data, headers={"Cache-Control": "no-store"})

    @operation(
        "billing:write", "Remove the payment provider", name="remove_payment_provider", tag=TAG, status=204,
        is_operators=True,
    )  # fmt: skip
    def delete(self, request: Request) -> Response:
        """Its keys and the customers' cards are forgotten; payments go by bank transfer. What was paid stays."""
        remove_stripe(self.organization, by=None)
        return Response(status=204)


class PaymentSetupTest(BillingView):
    @operation(
        "billing:write", "Test the payment provider", name="check_payment_provider", tag=TAG, answer=SetupSerializer,
        example=SETUP, errors=(404, 409), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """It is asked something with the key. A conflict where it doesn't take it."""
        row = get_object_or_404(self.organization.payment_providers.filter(provider=STRIPE))
        check_stripe(self.organization, at=timezone.now())
        row.refresh_from_db()
        return Response(SetupSerializer(row).data)


class EventList(BillingView):
    @operation(
        "billing:read", "List payment events to see to", name="list_payment_events", tag=TAG, params=Paged,
        answer=page_of(PaymentEventSerializer), example={"data": [EVENT], "next": None}, is_operators=True,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """What was told and has no payment here, or could not be done: the newest first."""
        params = Paged.of(request)
        events = events_to_see_to(self.organization)
        if parts := parts_of(params, row_id):
            events = events.filter(pk__lt=parts[0])
        limit = params["limit"]
        found = list(events.order_by("-pk")[: limit + 1])
        after = as_cursor(found[limit - 1].pk) if len(found) > limit else None
        return page(PaymentEventSerializer(found[:limit], many=True).data, after)


class EventAction(BillingView):
    def event_or_404(self, event_id: str) -> PaymentEvent:
        events = self.organization.payment_events.select_related("organization")
        found: PaymentEvent = get_object_or_404(events, event_id=event_id)
        return found


class EventRetry(EventAction):
    @operation(
        "billing:write", "Act on an event again", name="retry_payment_event", tag=TAG, answer=PaymentEventSerializer,
        example=EVENT | {"outcome": "done"}, errors=(404, 409), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, event_id: str) -> Response:
        """What was done already is not done twice."""
        event = self.event_or_404(event_id)
        process_event(event, at=timezone.now(), again=True)
        return Response(PaymentEventSerializer(self.event_or_404(event_id)).data)


class EventTake(EventAction):
    @operation(
        "billing:write", "Take an event as a payment", name="take_payment_event", tag=TAG,
        answer=PaymentDetailSerializer, status=201, example=DETAIL, errors=(404, 409), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, event_id: str) -> Response:
        """Money that nobody waited for, as a payment of the customer who sent it: for whatever is due. Once."""
        payment = take_as_payment(self.event_or_404(event_id), by=None, at=timezone.now())
        payment.refresh_from_db()
        told: dict[str, Any] = PaymentDetailSerializer(payment).data
        return Response(told, status=201)


class EventDismiss(EventAction):
    @operation(
        "billing:write", "Dismiss an event", name="dismiss_payment_event", tag=TAG, answer=PaymentEventSerializer,
        example=EVENT | {"outcome": "ignored"}, errors=(404,), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, event_id: str) -> Response:
        """It has nothing to do with us, and is not listed any more."""
        dismiss_event(self.event_or_404(event_id), by=None, at=timezone.now())
        return Response(PaymentEventSerializer(self.event_or_404(event_id)).data)
