"""Payments: put down, received, paid back. Operators; a customer's token asks how its own stand, and cancels them."""

from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.billing import TAG, BillingView
from apps.api.v1.billing_fields import ID, OTHER_ID
from apps.api.v1.billing_inputs import MOST_MONEY, WRITES, Above, Currency, one_of
from apps.api.v1.billing_standing import PAYMENT, PaymentList, PaymentSerializer
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Amount, Asked, Id, Instant, Text, Told
from apps.api.v1.once import PARAMETER, claim
from apps.api.v1.paging import newest_first, page
from apps.api.v1.params import Paged
from apps.api.v1.schema import operation, page_of
from apps.billing.models import Payment, Refund
from apps.billing.models.payments import MANUAL
from apps.billing.services.bank_transfers import receive_transfer, record_transfer
from apps.billing.services.collecting import ask_about
from apps.billing.services.payments import apply_surplus, cancel_payment, surplus_of
from apps.billing.services.refunds import refund_payment

TRANSFER = PAYMENT | {"provider": "manual", "credit": "0"}
REFUND = {
    "id": ID,
    "payment": OTHER_ID,
    "state": "succeeded",
    "amount": "20",
    "credit": "20",
    "credit_note": None,
    "reason": "Bought by mistake",
    "error": "",
    "created_at": "2026-03-11T12:00:00Z",
}


class PaymentDetailSerializer(PaymentSerializer):
    """A payment, and what to do so that it is paid."""

    reference = serializers.CharField(source="provider_id", help_text="The bank's, or what to write on a transfer.")
    url = serializers.SerializerMethodField(help_text="Of a pending payment: where it is paid; empty: by transfer.")
    error = serializers.CharField(help_text="Why it failed.")
    surplus = serializers.SerializerMethodField(help_text="What of it nothing was owed for.")

    def get_url(self, payment: Payment) -> str:
        return str(payment.details.get("url", "")) if payment.state == Payment.State.PENDING else ""

    def get_surplus(self, payment: Payment) -> str:
        return Amount().to_representation(surplus_of(payment))


DETAIL = PAYMENT | {"reference": "pi_3OqX", "url": "", "error": "", "surplus": "0"}


class RefundSerializer(Told):
    """Money that goes back."""

    id = serializers.UUIDField()
    payment = serializers.UUIDField(source="payment_id")
    state = serializers.ChoiceField(choices=Refund.State.values, help_text="`pending`: the provider is being asked.")
    amount = Amount(help_text="In the payment's currency.")
    credit = Amount(help_text="USD: what was taken from the wallet for it.")
    credit_note = serializers.UUIDField(source="credit_note_id", allow_null=True)
    reason = serializers.CharField()
    error = serializers.CharField()
    created_at = Instant()


class TransferSerializer(Asked):
    """Money that came in by bank transfer, cheque or cash."""

    customer = Id()
    invoice = Id(required=False, allow_null=True, help_text="null: for whatever is due, the oldest first.")
    amount = Above(max_value=MOST_MONEY)
    currency = Currency()
    reference = Text(max_length=100, trim_whitespace=True, help_text="The bank's: put down once.")


class ReceivedSerializer(Asked):
    """How much came in, of what was waited for."""

    amount = Above(max_value=MOST_MONEY)


class NewRefundSerializer(Asked):
    """How much goes back, and why."""

    amount = Above(max_value=MOST_MONEY, help_text="In the payment's currency.")
    reason = Text(max_length=300, trim_whitespace=True)


class Payments(PaymentList):
    @operation(
        "billing:write", "Put down a transfer", name="record_transfer", tag=TAG, body=TransferSerializer,
        answer=PaymentDetailSerializer, status=201, example=DETAIL, errors=WRITES, is_operators=True,
        sent={"customer": OTHER_ID, "amount": "119", "currency": "EUR", "reference": "RF18 5390 0754 7034"},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """For an invoice, or for whatever is due, the oldest first. Once for each `reference`.

        With another amount or customer, a reference is a conflict. What is more than is due stays the customer's.
        """
        sent = read_body(TransferSerializer, request)
        customer = self.customer_or_404(sent.pop("customer"))
        if invoice_id := sent.pop("invoice", None):
            invoice = one_of(customer.invoices.final(), invoice_id, "invoice")
            if invoice.currency != sent["currency"]:
                raise serializers.ValidationError({"currency": f"The invoice is in {invoice.currency}."})
            sent["invoice"] = invoice
        payment, _is_new = record_transfer(customer, by=None, at=timezone.now(), **sent)
        return Response(PaymentDetailSerializer(payment).data, status=201)


class PaymentDetail(BillingView):
    def payments(self) -> QuerySet[Payment]:
        found = Payment.objects.filter(customer__in=self.customers())
        return found.select_related("customer__organization", "organization", "invoice")

    def payment_or_404(self, payment_id: UUID) -> Payment:
        return get_object_or_404(self.payments(), pk=payment_id)

    def shown(self, payment_id: UUID) -> Response:
        """As it is now."""
        return Response(PaymentDetailSerializer(self.payment_or_404(payment_id)).data)

    @operation(
        "billing:read", "Get a payment", name="get_payment", tag=TAG, answer=PaymentDetailSerializer, example=DETAIL,
        errors=(404,),
    )  # fmt: skip
    def get(self, request: Request, payment_id: UUID) -> Response:
        """Paid, or what to do so that it is."""
        return self.shown(payment_id)


class PaymentAction(PaymentDetail):
    http_method_names = ["post", "options"]  # noqa: RUF012  as Django's


class PaymentReceive(PaymentAction):
    @operation(
        "billing:write", "Receive a transfer", name="receive_transfer", tag=TAG, body=ReceivedSerializer,
        answer=PaymentDetailSerializer, example=DETAIL, sent={"amount": "50"}, errors=WRITES, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, payment_id: UUID) -> Response:
        """The transfer that a pending payment waits for came in. Less or more buys less or more credit. Once."""
        payment, sent = self.payment_or_404(payment_id), read_body(ReceivedSerializer, request)
        receive_transfer(payment, by=None, at=timezone.now(), **sent)
        return self.shown(payment_id)


class PaymentApply(PaymentAction):
    @operation(
        "billing:write", "Use what is over", name="apply_surplus", tag=TAG, answer=PaymentDetailSerializer,
        example=DETAIL, errors=(404,), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, payment_id: UUID) -> Response:
        """What is over of it pays the customer's other open invoices in its currency, the oldest first."""
        apply_surplus(self.payment_or_404(payment_id), by=None, at=timezone.now())
        return self.shown(payment_id)


class PaymentAsk(PaymentAction):
    @operation(
        "billing:write", "Ask how a payment stands", name="ask_about_payment", tag=TAG,
        answer=PaymentDetailSerializer, example=DETAIL, errors=(404, 409),
    )  # fmt: skip
    def post(self, request: Request, payment_id: UUID) -> Response:
        """The provider is asked, and what it says is put down. A transfer is paid when its operator says so."""
        payment = self.payment_or_404(payment_id)
        if payment.state == Payment.State.PENDING and payment.provider != MANUAL:
            ask_about(payment, at=timezone.now())
        return self.shown(payment_id)


class PaymentCancel(PaymentAction):
    @operation(
        "billing:write", "Cancel a transfer", name="cancel_payment", tag=TAG, answer=PaymentDetailSerializer,
        example=DETAIL | {"state": "failed", "error": "Cancelled."}, errors=(404, 409),
    )  # fmt: skip
    def post(self, request: Request, payment_id: UUID) -> Response:
        """One that was announced, and is not sent after all. A conflict for anything else."""
        cancel_payment(self.payment_or_404(payment_id), by=None, at=timezone.now())
        return self.shown(payment_id)


class PaymentRefunds(PaymentDetail):
    @operation(
        "billing:read", "List refunds of a payment", name="list_refunds", tag=TAG, params=Paged,
        answer=page_of(RefundSerializer), example={"data": [REFUND], "next": None}, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request, payment_id: UUID) -> Response:
        """The newest first. A customer isn't shown those that failed."""
        refunds = self.payment_or_404(payment_id).refunds.all()
        if not self.is_operators:
            refunds = refunds.exclude(state=Refund.State.FAILED)
        found, after = newest_first(refunds, Paged.of(request))
        return page(RefundSerializer(found, many=True).data, after)

    @operation(
        "billing:write", "Refund a payment", name="refund_payment", tag=TAG, body=NewRefundSerializer,
        answer=RefundSerializer, status=201, example=REFUND, sent={"amount": "20", "reason": "Bought by mistake"},
        errors=WRITES, headers=[PARAMETER], is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, payment_id: UUID) -> Response:
        """Of what bought credit, no more than is left of it; invoices that it paid are open again by as much.

        `failed`: the provider refused, and nothing is changed. `pending`: it is asked again until it answers.
        """
        payment, sent = self.payment_or_404(payment_id), read_body(NewRefundSerializer, request)
        refund = refund_payment(payment, by=None, at=timezone.now(), refund_id=claim(self, request), **sent)
        return Response(RefundSerializer(refund).data, status=201)
