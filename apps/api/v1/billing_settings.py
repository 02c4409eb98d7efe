"""What an operator sets about billing: who it is, terms, logo, tax rates and exchange rates. Operators."""

import binascii
from base64 import b64decode
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.billing import TAG, BillingView
from apps.api.v1.billing_fields import ID
from apps.api.v1.billing_inputs import Day
from apps.api.v1.bodies import read_body
from apps.api.v1.details_inputs import (
    ExchangeRateChangesSerializer,
    NewTaxRateSerializer,
    SellerChangesSerializer,
    with_tax_id,
)
from apps.api.v1.fields import Amount, Asked, Instant, Text, Told
from apps.api.v1.paging import as_cursor, newest_first, page, parts_of
from apps.api.v1.params import Paged, Params
from apps.api.v1.prices import row_id
from apps.api.v1.schema import operation, page_of
from apps.billing.models import ExchangeRate, Seller
from apps.billing.parties import seller_of
from apps.billing.services.rates import add_tax_rate, remove_exchange_rate, retire_tax_rate, set_exchange_rate
from apps.billing.services.sellers import MOST_LOGO_BYTES, remove_logo, set_logo, update_seller

SELLER = {
    "legal_name": "Acme GmbH",
    "address": "Hauptstr. 1\n10115 Berlin",
    "country": "DE",
    "tax_id": "DE136695976",
    "email": "billing@acme.example",
    "currency": "EUR",
    "payment_terms": "IBAN DE02 1203 0000 0000 2020 51",
    "footer": "",
    "accent": "#1f5eff",
    "has_logo": False,
    "invoice_prefix": "INV-",
    "credit_note_prefix": "CN-",
    "net_days": 30,
    "grace_days": 1,
    "finalizes": True,
    "sends": True,
    "tax_rounding": "invoice",
    "taxed_when": "top_up",
    "reminder_days": [3, 10, 20],
    "final_step": "suspend",
    "final_step_days": 30,
}
TAX_RATE = {
    "id": ID,
    "name": "VAT",
    "country": "DE",
    "percent": "19",
    "is_inclusive": False,
    "effective_from": "2026-01-01",
    "retired_at": None,
}
EXCHANGE_RATE = {"currency": "EUR", "effective_from": "2026-03-01", "per_dollar": "0.92", "source": "by hand"}


class SellerSerializer(Told):
    """How you bill: your name on invoices, numbers, terms, taxes and reminders."""

    legal_name = serializers.CharField()
    address = serializers.CharField()
    country = serializers.CharField()
    tax_id = serializers.CharField()
    email = serializers.CharField()
    currency = serializers.CharField(help_text="Of customers that have none of their own.")
    payment_terms = serializers.CharField()
    footer = serializers.CharField()
    accent = serializers.CharField()
    has_logo = serializers.SerializerMethodField()
    invoice_prefix = serializers.CharField()
    credit_note_prefix = serializers.CharField()
    net_days = serializers.IntegerField()
    grace_days = serializers.IntegerField()
    finalizes = serializers.BooleanField()
    sends = serializers.BooleanField()
    tax_rounding = serializers.ChoiceField(choices=Seller.TaxRounding.values)
    taxed_when = serializers.ChoiceField(choices=Seller.TaxedWhen.values)
    reminder_days = serializers.ListField(child=serializers.IntegerField())
    final_step = serializers.ChoiceField(choices=Seller.FinalStep.values)
    final_step_days = serializers.IntegerField()

    def get_has_logo(self, seller: Seller) -> bool:
        return bool(seller.logo)


class LogoSerializer(Asked):
    """A picture."""

    content = Text(max_length=MOST_LOGO_BYTES * 4 // 3 + 4, help_text="PNG or JPEG of at most 256 KB, in base64.")


class TaxRateSerializer(Told):
    """A tax from a day on."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    country = serializers.CharField(help_text="Of the customers it is for; empty: given by hand.")
    percent = Amount()
    is_inclusive = serializers.BooleanField(help_text="Contained in prices.")
    effective_from = serializers.DateField()
    retired_at = Instant(allow_null=True, help_text="It is not charged from then on.")


class ExchangeRateSerializer(Told):
    """What a US dollar is worth from a day on."""

    currency = serializers.CharField()
    effective_from = serializers.DateField()
    per_dollar = Amount()
    source = serializers.CharField()


class ExchangeDayParams(Params):
    currency = Text(max_length=3)
    effective_from = Day()


class BillingSettings(BillingView):
    @operation(
        "billing:read", "Get billing settings", name="get_billing_settings", tag=TAG, answer=SellerSerializer,
        example=SELLER, is_operators=True,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """How you bill."""
        return Response(SellerSerializer(seller_of(self.organization)).data)

    @operation(
        "billing:write", "Change billing settings", name="update_billing_settings", tag=TAG,
        body=SellerChangesSerializer, answer=SellerSerializer, example=SELLER, sent={"net_days": 14, "sends": True},
        errors=(409, 415), is_operators=True,
    )  # fmt: skip
    def patch(self, request: Request) -> Response:
        """They hold from now on; invoices that are final stay as they are."""
        changes = with_tax_id(read_body(SellerChangesSerializer, request), seller_of(self.organization))
        return Response(SellerSerializer(update_seller(self.organization, by=None, **changes)).data)


class BillingLogo(BillingView):
    @operation(
        "billing:write", "Set the logo", name="set_logo", tag=TAG, body=LogoSerializer, answer=SellerSerializer,
        example=SELLER | {"has_logo": True}, sent={"content": "iVBORw0KGgo…"}, errors=(409, 415), is_operators=True,
    )  # fmt: skip
    def put(self, request: Request) -> Response:
        """Of documents from now on; those that are final keep theirs."""
        text = read_body(LogoSerializer, request)["content"]
        try:
            content = b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError({"content": "It is not base64."}) from None
        return Response(SellerSerializer(set_logo(self.organization, content, by=None)).data)

    @operation("billing:write", "Remove the logo", name="remove_logo", tag=TAG, status=204, is_operators=True)
    def delete(self, request: Request) -> Response:
        """Documents have none from now on."""
        remove_logo(self.organization, by=None)
        return Response(status=204)


class TaxRateList(BillingView):
    @operation(
        "billing:read", "List tax rates", name="list_tax_rates", tag=TAG, params=Paged,
        answer=page_of(TaxRateSerializer), example={"data": [TAX_RATE], "next": None}, is_operators=True,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The newest first, those that are over and to come too."""
        found, after = newest_first(self.organization.tax_rates.all(), Paged.of(request))
        return page(TaxRateSerializer(found, many=True).data, after)

    @operation(
        "billing:write", "Add a tax rate", name="add_tax_rate", tag=TAG, body=NewTaxRateSerializer,
        answer=TaxRateSerializer, status=201, example=TAX_RATE, errors=(409, 415), is_operators=True,
        sent={"name": "VAT", "country": "DE", "percent": "19", "effective_from": "2026-01-01"},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Of the same name and country it takes the place of an earlier one. Refused where it is there already."""
        fields = {"effective_from": self.today()} | read_body(NewTaxRateSerializer, request)
        rate = add_tax_rate(self.organization, by=None, **fields)
        return Response(TaxRateSerializer(rate).data, status=201)


class TaxRateRetire(BillingView):
    @operation(
        "billing:write", "Retire a tax rate", name="retire_tax_rate", tag=TAG, answer=TaxRateSerializer,
        example=TAX_RATE | {"retired_at": "2026-03-11T12:00:00Z"}, errors=(404,), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, rate_id: UUID) -> Response:
        """It is charged no more from today on. One that is retired stays as it is."""
        rate = get_object_or_404(self.organization.tax_rates, pk=rate_id)
        return Response(TaxRateSerializer(retire_tax_rate(rate, by=None, at=timezone.now())).data)


class ExchangeRates(BillingView):
    @operation(
        "billing:read", "List exchange rates", name="list_exchange_rates", tag=TAG, params=Paged,
        answer=page_of(ExchangeRateSerializer), example={"data": [EXCHANGE_RATE], "next": None}, is_operators=True,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """What a US dollar is worth, by day: those that were put down last in front."""
        params = Paged.of(request)
        rates = ExchangeRate.objects.filter(organization=self.organization)
        if parts := parts_of(params, row_id):
            rates = rates.filter(pk__lt=parts[0])
        limit = params["limit"]
        found = list(rates.order_by("-pk")[: limit + 1])
        after = as_cursor(found[limit - 1].pk) if len(found) > limit else None
        return page(ExchangeRateSerializer(found[:limit], many=True).data, after)

    @operation(
        "billing:write", "Set an exchange rate", name="set_exchange_rate", tag=TAG,
        body=ExchangeRateChangesSerializer, answer=ExchangeRateSerializer, example=EXCHANGE_RATE,
        sent={"currency": "EUR", "effective_from": "2026-03-01", "per_dollar": "0.92"}, errors=(409, 415),
        is_operators=True,
    )  # fmt: skip
    def put(self, request: Request) -> Response:
        """From a day on. Set again for the same day, it is put right; invoices keep the rate that is on them."""
        fields: dict[str, Any] = {"effective_from": self.today()} | read_body(ExchangeRateChangesSerializer, request)
        return Response(ExchangeRateSerializer(set_exchange_rate(self.organization, by=None, **fields)).data)

    @operation(
        "billing:write", "Remove an exchange rate", name="remove_exchange_rate", tag=TAG, params=ExchangeDayParams,
        status=204, errors=(404,), is_operators=True,
    )  # fmt: skip
    def delete(self, request: Request) -> Response:
        """One that was wrong: the one before it holds on. Invoices keep the rate that is on them."""
        rates = ExchangeRate.objects.filter(organization=self.organization).select_related("organization")
        remove_exchange_rate(get_object_or_404(rates, **ExchangeDayParams.of(request)), by=None)
        return Response(status=204)
