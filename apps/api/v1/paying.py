"""Paying, as a customer does: for credit and invoices, and with which card. Its operator's token may for it."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.billing import TAG, BillingView
from apps.api.v1.billing_fields import ID
from apps.api.v1.billing_inputs import WRITES, Above, one_of
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Amount, Asked, Flag, Id, Instant, Told
from apps.api.v1.invoices import InvoiceAction
from apps.api.v1.once import PARAMETER, claim
from apps.api.v1.params import Params
from apps.api.v1.payments import DETAIL, PaymentDetailSerializer
from apps.api.v1.schema import operation
from apps.billing.models import PaymentMethod
from apps.billing.payments.manual import ManualPayments
from apps.billing.payments.registry import provider_of
from apps.billing.services.collecting import start_invoice_payment, start_top_up
from apps.billing.services.payment_methods import read_methods, remove_method, set_default_method, start_method
from apps.billing.services.quotes import quote_top_up
from apps.customers.models import Customer

LEAST, MOST = 1, 100_000  # USD of credit at once
SOME_PAYMENT = UUID(int=0)
PENDING = DETAIL | {"state": "pending", "paid_at": None, "url": "https://checkout.stripe.com/c/pay/cs_1"}
QUOTE = {"credit": "50", "currency": "EUR", "per_dollar": "0.92", "net": "46", "tax": "8.74", "total": "54.74"}
METHOD = {
    "id": ID,
    "provider": "stripe",
    "kind": "card",
    "label": "Visa …4242",
    "is_default": True,
    "created_at": "2026-03-01T09:00:00Z",
}


class WaySerializer(Asked):
    """How it is paid: by a card that is there, by bank transfer, else on the provider's page."""

    method = Id(required=False, allow_null=True, help_text="A payment method: charged at once.")
    is_transfer = Flag(default=False, help_text="By bank transfer: the answer says with which reference.")
    return_url = serializers.URLField(
        required=False,
        max_length=500,
        help_text="Where the payer comes back to; `{payment}` in it is the payment's id.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One way."""
        if attrs.get("method") and attrs["is_transfer"]:
            raise serializers.ValidationError({"method": "Not together with is_transfer."})
        return attrs


class BuySerializer(WaySerializer):
    """How much credit, and how it is paid."""

    credit = Above(min_value=LEAST, max_value=MOST, max_digits=12, decimal_places=2, help_text="USD.")


class QuoteSerializer(Told):
    """What credit costs, in the customer's currency."""

    credit = Amount(help_text="USD.")
    currency = serializers.CharField()
    per_dollar = Amount()
    net = Amount()
    tax = Amount()
    total = Amount()


class QuoteParams(Params):
    credit = Above(min_value=LEAST, max_value=MOST, max_digits=12, decimal_places=2, help_text="USD.")


class PaymentMethodSerializer(Told):
    """A card or the like that a customer left with the payment provider."""

    id = serializers.UUIDField()
    provider = serializers.CharField()
    kind = serializers.CharField()
    label = serializers.CharField()
    is_default = serializers.BooleanField(help_text="It is charged when nobody is there to choose.")
    created_at = Instant()


Methods = inline_serializer("PaymentMethods", {"data": PaymentMethodSerializer(many=True)})
MethodPage = inline_serializer("PaymentMethodPage", {"url": serializers.CharField()})


class CreditQuote(BillingView):
    @operation(
        "billing:read", "Quote credit", name="quote_credit", tag=TAG, params=QuoteParams, answer=QuoteSerializer,
        example=QUOTE, errors=(404, 409),
    )  # fmt: skip
    def get(self, request: Request, customer_id: UUID) -> Response:
        """What credit costs a customer now: in its currency, with its tax. Nothing is bought."""
        customer, credit = self.customer_or_404(customer_id), QuoteParams.of(request)["credit"]
        return Response(QuoteSerializer(quote_top_up(customer, credit, at=timezone.now())).data)


class CreditBuy(BillingView):
    @operation(
        "billing:write", "Buy credit", name="buy_credit", tag=TAG, body=BuySerializer,
        answer=PaymentDetailSerializer, status=201, example=PENDING, sent={"credit": "50"}, errors=WRITES,
        headers=[PARAMETER],
    )  # fmt: skip
    def post(self, request: Request, customer_id: UUID) -> Response:
        """Charged to `method` at once, by transfer, or on the page that the answer's `url` names.

        Sent again with its key: the same payment, as it stands by then. A card that is declined is a conflict.
        """
        customer, sent = self.customer_or_404(customer_id), read_body(BuySerializer, request)
        way = way_of(customer, sent)
        payment_id = claim(self, request)
        payment = start_top_up(customer, sent["credit"], by=None, at=timezone.now(), payment_id=payment_id, **way)
        return Response(PaymentDetailSerializer(payment).data, status=201)


class InvoicePay(InvoiceAction):
    @operation(
        "billing:write", "Pay an invoice", name="pay_invoice", tag=TAG, body=WaySerializer,
        answer=PaymentDetailSerializer, status=201, example=PENDING, sent={"is_transfer": True}, errors=WRITES,
        headers=[PARAMETER],
    )  # fmt: skip
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """What is due on it; the rest as for credit. A conflict where nothing is."""
        invoice, sent = self.invoice_or_404(invoice_id), read_body(WaySerializer, request)
        way = way_of(invoice.customer, sent)
        payment_id = claim(self, request)
        payment = start_invoice_payment(invoice, by=None, at=timezone.now(), payment_id=payment_id, **way)
        return Response(PaymentDetailSerializer(payment).data, status=201)


class PaymentMethods(BillingView):
    @operation(
        "billing:read", "List payment methods", name="list_payment_methods", tag=TAG, answer=Methods,
        example={"data": [METHOD]}, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request, customer_id: UUID) -> Response:
        """Those that can be charged, the default first."""
        return _methods(self.customer_or_404(customer_id).payment_methods.live())

    @operation(
        "billing:write", "Add a payment method", name="start_payment_method", tag=TAG, answer=MethodPage, status=201,
        example={"url": "https://checkout.stripe.com/c/pay/cs_2"}, errors=(404, 409),
    )  # fmt: skip
    def post(self, request: Request, customer_id: UUID) -> Response:
        """The page of the provider's where the customer leaves a card. Then, `read` lists it."""
        back = f"{settings.PUBLIC_URL}{reverse('portal:payment-methods-read')}"
        return Response({"url": start_method(self.customer_or_404(customer_id), back)}, status=201)


class PaymentMethodsRead(BillingView):
    @operation(
        "billing:write", "Read payment methods", name="read_payment_methods", tag=TAG, answer=Methods,
        example={"data": [METHOD]}, errors=(404, 409),
    )  # fmt: skip
    def post(self, request: Request, customer_id: UUID) -> Response:
        """Ask the provider what the customer has left there. The first one becomes the default."""
        customer = self.customer_or_404(customer_id)
        provider = provider_of(customer.organization)
        if provider.has_methods:
            read_methods(customer, provider, at=timezone.now())
        return _methods(customer.payment_methods.live())


class PaymentMethodOne(BillingView):
    def method_or_404(self, method_id: UUID) -> PaymentMethod:
        methods = PaymentMethod.objects.live().filter(customer__in=self.customers())
        return get_object_or_404(methods.select_related("customer__organization"), pk=method_id)

    @operation(
        "billing:write", "Remove a payment method", name="remove_payment_method", tag=TAG, status=204,
        errors=(404, 409),
    )  # fmt: skip
    def delete(self, request: Request, method_id: UUID) -> Response:
        """Here and at the provider. Another one becomes the default, if there is one."""
        remove_method(self.method_or_404(method_id), by=None, at=timezone.now())
        return Response(status=204)


class PaymentMethodDefault(PaymentMethodOne):
    http_method_names = ["post", "options"]  # noqa: RUF012  as Django's

    @operation(
        "billing:write", "Charge a payment method by default", name="set_default_payment_method", tag=TAG,
        answer=PaymentMethodSerializer, example=METHOD, errors=(404, 409),
    )  # fmt: skip
    def post(self, request: Request, method_id: UUID) -> Response:
        """It is charged when nobody is there to choose."""
        set_default_method(self.method_or_404(method_id), by=None)
        return Response(PaymentMethodSerializer(self.method_or_404(method_id)).data)


def way_of(customer: Customer, sent: dict[str, Any]) -> dict[str, Any]:
    """How it is paid, as the service takes it. Raises ValidationError."""
    method = None
    if wanted := sent.get("method"):
        method = one_of(PaymentMethod.objects.live().filter(customer=customer), wanted, "method")
    page = f"{settings.PUBLIC_URL}{reverse('portal:payment-detail', args=[SOME_PAYMENT])}"
    back = sent.get("return_url") or page.replace(str(SOME_PAYMENT), "{payment}")
    provider = ManualPayments() if sent["is_transfer"] else provider_of(customer.organization)
    return {"provider": provider, "method": method, "return_url": back}


def _methods(methods: QuerySet[PaymentMethod]) -> Response:
    return Response({"data": PaymentMethodSerializer(methods, many=True).data})
