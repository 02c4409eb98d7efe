"""What an operator does to invoices. Each is safe to do twice: the second finds it done. Operators."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1 import billing_fields as told
from apps.api.v1 import billing_inputs as asked
from apps.api.v1.billing import TAG, InvoiceDetail, InvoiceList
from apps.api.v1.billing_inputs import WRITES
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Asked, Text
from apps.api.v1.once import PARAMETER, once
from apps.api.v1.schema import operation
from apps.billing.documents.plain import invoice_plain
from apps.billing.models import Invoice
from apps.billing.money import minor_units, round_half_away
from apps.billing.parties import currency_of
from apps.billing.services.finalizing import finalize_invoice
from apps.billing.services.invoices import (
    LineByHand,
    add_line,
    add_one_off_invoice,
    delete_draft,
    mark_uncollectible,
    rebuild_draft,
    remove_line,
    set_memo,
    void_invoice,
)

DRAFT = told.INVOICE_DETAIL | {
    "number": None, "state": "draft", "issued_on": None, "due_on": None, "finalized_at": None, "sent_at": None,
}  # fmt: skip
OR_NOTHING: dict[Any, Any] = {200: told.InvoiceDetailSerializer, 204: None}
LINE = {"description": "Setting up", "amount": "250"}
REASON = {"reason": "Sent to the wrong company"}


class Invoices(InvoiceList):
    @operation(
        "billing:write", "Draft an invoice", name="add_invoice", tag=TAG, body=asked.NewInvoiceSerializer,
        answer=told.InvoiceDetailSerializer, status=201, example=DRAFT | {"kind": "one_off"}, errors=WRITES,
        headers=[PARAMETER], sent={"customer": told.OTHER_ID, "lines": [LINE]}, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Besides those of periods, in the customer's currency. More lines can be added until it is final."""
        sent = read_body(asked.NewInvoiceSerializer, request)
        customer = self.customer_or_404(sent["customer"])
        lines = [line_by_hand(line, currency_of(customer)) for line in sent["lines"]]

        def add(key: str) -> Response:
            memo, now = sent.get("memo", ""), timezone.now()
            return shown(add_one_off_invoice(customer, lines, key=key, memo=memo, by=None, at=now), status=201)

        return once(self, request, add)


class MemoSerializer(Asked):
    """The note that is printed on an invoice."""

    memo = Text(max_length=500, allow_blank=True)


class InvoiceOne(InvoiceDetail):
    def invoice_or_404(self, invoice_id: UUID) -> Invoice:
        return get_object_or_404(self.invoices().select_related("customer__organization"), pk=invoice_id)

    @operation(
        "billing:write", "Change a draft", name="set_memo", tag=TAG, body=MemoSerializer,
        answer=told.InvoiceDetailSerializer, example=DRAFT, sent={"memo": "As agreed"}, errors=WRITES,
        is_operators=True,
    )  # fmt: skip
    def patch(self, request: Request, invoice_id: UUID) -> Response:
        """The note that is printed on it. A conflict where it is final."""
        invoice = self.invoice_or_404(invoice_id)
        return shown(set_memo(invoice, read_body(MemoSerializer, request)["memo"], by=None))

    @operation(
        "billing:write", "Delete a draft", name="delete_draft", tag=TAG, status=204, errors=(404, 409),
        is_operators=True,
    )  # fmt: skip
    def delete(self, request: Request, invoice_id: UUID) -> Response:
        """One that was made by hand. That of a period would only be built anew."""
        delete_draft(self.invoice_or_404(invoice_id), by=None)
        return Response(status=204)


class InvoiceAction(InvoiceOne):
    http_method_names = ["post", "options"]  # noqa: RUF012  as Django's


class InvoiceLines(InvoiceAction):
    @operation(
        "billing:write", "Add a line", name="add_invoice_line", tag=TAG, body=asked.LineSerializer,
        answer=told.InvoiceDetailSerializer, status=201, example=DRAFT, sent=LINE, errors=WRITES,
        headers=[PARAMETER], is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """On a draft; it stays there when the draft is built anew. Below zero takes off."""
        invoice = self.invoice_or_404(invoice_id)
        line = line_by_hand(read_body(asked.LineSerializer, request), invoice.currency)

        def add(_key: str) -> Response:
            add_line(invoice, line, by=None, at=timezone.now())
            return shown(self.invoice_or_404(invoice_id), status=201)

        return once(self, request, add)


class InvoiceLine(InvoiceOne):
    http_method_names = ["delete", "options"]  # noqa: RUF012  as Django's

    @operation(
        "billing:write", "Remove a line", name="remove_invoice_line", tag=TAG, status=204, errors=(404, 409),
        is_operators=True,
    )  # fmt: skip
    def delete(self, request: Request, invoice_id: UUID, line_id: UUID) -> Response:
        """One that was added by hand, from a draft."""
        lines = self.invoice_or_404(invoice_id).lines.select_related("invoice__customer__organization")
        remove_line(get_object_or_404(lines, pk=line_id), by=None, at=timezone.now())
        return Response(status=204)


class InvoiceFinalize(InvoiceAction):
    @operation(
        "billing:write", "Finalize an invoice", name="finalize_invoice", tag=TAG, answers=OR_NOTHING,
        example=told.INVOICE_DETAIL, errors=(404, 409), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """Its number is taken, it is booked, and nothing on it changes any more. One that is final stays as it is.

        204: there is nothing to invoice any more, and the draft is gone.
        """
        return shown_or_gone(finalize_invoice(self.invoice_or_404(invoice_id), by=None, at=timezone.now()))


class InvoiceRebuild(InvoiceAction):
    @operation(
        "billing:write", "Build a draft anew", name="rebuild_draft", tag=TAG, answers=OR_NOTHING, example=DRAFT,
        errors=(404, 409), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """That of a period, from the usage that there is now. 204: there is nothing to invoice any more."""
        rebuild_draft(self.invoice_or_404(invoice_id), at=timezone.now())
        return shown_or_gone(self.invoices().filter(pk=invoice_id).first())


class InvoiceVoid(InvoiceAction):
    @operation(
        "billing:write", "Void an invoice", name="void_invoice", tag=TAG, body=asked.ReasonSerializer,
        answer=told.InvoiceDetailSerializer, example=told.INVOICE_DETAIL | {"state": "void"}, sent=REASON,
        errors=WRITES, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """As if it had never been: it keeps its number, and the next billing run makes a period's invoice anew.

        A conflict where something was paid or credited: a credit note takes it back then.
        """
        invoice, reason = self.invoice_or_404(invoice_id), read_body(asked.ReasonSerializer, request)["reason"]
        return shown(void_invoice(invoice, reason=reason, by=None, at=timezone.now()))


class InvoiceWriteOff(InvoiceAction):
    @operation(
        "billing:write", "Write an invoice off", name="write_off_invoice", tag=TAG, body=asked.ReasonSerializer,
        answer=told.InvoiceDetailSerializer, example=told.INVOICE_DETAIL | {"state": "uncollectible"}, sent=REASON,
        errors=WRITES, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """Nobody expects it to be paid: it is uncollectible. If it is paid after all, it is paid."""
        invoice, reason = self.invoice_or_404(invoice_id), read_body(asked.ReasonSerializer, request)["reason"]
        return shown(mark_uncollectible(invoice, reason=reason, by=None, at=timezone.now()))


def line_by_hand(sent: dict[str, Any], currency: str) -> LineByHand:
    """Raises ValidationError for what the currency doesn't have."""
    amount = sent["amount"]
    if not amount:
        raise serializers.ValidationError({"amount": "An amount other than zero."})
    if round_half_away(amount, currency) != amount:
        raise serializers.ValidationError({"amount": f"{currency} has {minor_units(currency)} decimal places."})
    return LineByHand(sent["description"], amount)


def shown(invoice: Invoice, *, status: int = 200) -> Response:
    """All that stands on it."""
    return Response(told.InvoiceDetailSerializer(invoice_plain(invoice)).data, status=status)


def shown_or_gone(invoice: Invoice | None) -> Response:
    """The same; 204 where there is no such invoice any more."""
    return Response(status=204) if invoice is None else shown(invoice)
