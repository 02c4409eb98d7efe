"""What follows an invoice: e-mails, credit notes, that it is paid; and the billing run. Operators."""

from decimal import Decimal
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1 import billing_fields as told
from apps.api.v1 import billing_inputs as asked
from apps.api.v1.billing import TAG, BillingView
from apps.api.v1.billing_inputs import WRITES
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Instant, Told
from apps.api.v1.invoices import InvoiceAction, InvoiceOne, shown
from apps.api.v1.once import PARAMETER, once
from apps.api.v1.paging import newest_first, page
from apps.api.v1.params import Paged
from apps.api.v1.schema import operation, page_of
from apps.billing.documents.plain import credit_note_plain
from apps.billing.invoicing.runs import billing_run
from apps.billing.models import CreditNote, Invoice, Mailing, Payment
from apps.billing.models.payments import MANUAL
from apps.billing.services.bank_transfers import record_transfer
from apps.billing.services.credit_notes import credit_invoice
from apps.billing.services.mailing import queue_credit_note, queue_invoice

MAILING = {
    "id": told.ID,
    "invoice": told.OTHER_ID,
    "credit_note": None,
    "kind": "invoice",
    "to": "billing@globex.example",
    "state": "waiting",
    "created_at": "2026-04-02T00:10:00Z",
    "sent_at": None,
    "error": "",
}
RUN = {
    "made": 12,
    "built_again": 3,
    "refused": [{"customer": "globex", "period": "2026-03-01 to 2026-03-31", "reason": "There is no exchange rate."}],
}


class MailingSerializer(Told):
    """An e-mail about an invoice."""

    id = serializers.UUIDField()
    invoice = serializers.UUIDField(source="invoice_id")
    credit_note = serializers.UUIDField(source="credit_note_id", allow_null=True)
    kind = serializers.ChoiceField(choices=Mailing.Kind.values)
    to = serializers.CharField()
    state = serializers.ChoiceField(
        choices=["waiting", "sent", "failed", "unknown"],
        help_text="`unknown`: begun, and nobody knows whether it went.",
    )
    created_at = Instant()
    sent_at = Instant(allow_null=True)
    error = serializers.CharField()


class RunSerializer(Told):
    """What a billing run did."""

    made = serializers.IntegerField(help_text="New drafts.")
    built_again = serializers.IntegerField()
    refused = inline_serializer(
        "RefusedPeriod",
        {"customer": serializers.CharField(), "period": serializers.CharField(), "reason": serializers.CharField()},
        many=True,
    )


class InvoiceSend(InvoiceAction):
    @operation(
        "billing:write", "Send an invoice", name="send_invoice", tag=TAG, body=asked.SendingSerializer,
        answer=MailingSerializer, status=202, example=MAILING, sent={"again": False}, errors=WRITES, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """To where the customer's invoices go, as a PDF: once, or once more with `again`."""
        invoice, sent = self.invoice_or_404(invoice_id), read_body(asked.SendingSerializer, request)
        mailing = queue_invoice(invoice, by=None, at=timezone.now(), **sent)
        return Response(MailingSerializer(mailing).data, status=202)


class InvoiceMailings(InvoiceOne):
    http_method_names = ["get", "head", "options"]  # noqa: RUF012  as Django's

    @operation(
        "billing:read", "List an invoice's e-mails", name="list_mailings", tag=TAG, params=Paged,
        answer=page_of(MailingSerializer), example={"data": [MAILING], "next": None}, errors=(404,),
        is_operators=True,
    )  # fmt: skip
    def get(self, request: Request, invoice_id: UUID) -> Response:
        """Itself, its credit notes, reminders: the newest first."""
        found, after = newest_first(self.invoice_or_404(invoice_id).mailings.all(), Paged.of(request))
        return page(MailingSerializer(found, many=True).data, after)


class CreditNoteSend(BillingView):
    @operation(
        "billing:write", "Send a credit note", name="send_credit_note", tag=TAG, body=asked.SendingSerializer,
        answer=MailingSerializer, status=202, example=MAILING | {"kind": "credit_note", "credit_note": told.ID},
        sent={"again": False}, errors=WRITES, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, note_id: UUID) -> Response:
        """Likewise."""
        note, sent = get_object_or_404(self.credit_notes(), pk=note_id), read_body(asked.SendingSerializer, request)
        mailing = queue_credit_note(note, by=None, at=timezone.now(), **sent)
        return Response(MailingSerializer(mailing).data, status=202)


class InvoiceCredit(InvoiceAction):
    @operation(
        "billing:write", "Credit an invoice", name="credit_invoice", tag=TAG, body=asked.NewCreditNoteSerializer,
        answer=told.CreditNoteSerializer, status=201, example=told.CREDIT_NOTE, errors=WRITES, headers=[PARAMETER],
        sent={"settlement": "offset", "reason": "Down on 3 March"}, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """A credit note: takes back all that is left of it, or so much of lines. Never more than its total."""
        invoice, sent = self.invoice_or_404(invoice_id), read_body(asked.NewCreditNoteSerializer, request)
        amounts = amounts_of(sent)

        def credit(key: str) -> Response:
            note = credit_invoice(
                invoice,
                amounts=amounts,
                settlement=CreditNote.Settlement(sent["settlement"]),
                reason=sent["reason"],
                key=key,
                by=None,
                at=timezone.now(),
            )
            return Response(told.CreditNoteSerializer(credit_note_plain(note)).data, status=201)

        return once(self, request, credit)


class InvoiceMarkPaid(InvoiceAction):
    @operation(
        "billing:write", "Mark an invoice as paid", name="mark_invoice_paid", tag=TAG, body=asked.PaidSerializer,
        answer=told.InvoiceDetailSerializer, example=told.INVOICE_DETAIL | {"state": "paid", "due": "0.00"},
        sent={"reference": "Transfer of 30 April"}, errors=WRITES, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """A bank transfer or the like: all that is due, or so much. Once for each `reference`.

        What is more than is due pays the customer's other invoices, or stays its own.
        """
        invoice, sent = self.invoice_or_404(invoice_id), read_body(asked.PaidSerializer, request)
        if not invoice.is_final:
            raise serializers.ValidationError({"__all__": "A draft can't be paid: finalize it first."})
        reference = sent["reference"]
        known = Payment.objects.filter(organization=self.organization, provider=MANUAL, provider_id=reference).first()
        is_same = known is not None and known.invoice_id == invoice.pk
        usual: Decimal = known.amount if known is not None and is_same else invoice.due
        record_transfer(
            invoice.customer,
            amount=sent.get("amount", usual),
            currency=invoice.currency,
            reference=reference,
            invoice=invoice,
            by=None,
            at=timezone.now(),
        )
        return shown(Invoice.objects.select_related("customer__organization", "organization").get(pk=invoice_id))


class BillingRun(BillingView):
    @operation(
        "billing:write", "Run billing", name="run_billing", tag=TAG, answer=RunSerializer, example=RUN,
        is_operators=True,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """What happens every hour: the drafts of all that is over. Safe to do twice, and at once."""
        run = billing_run(self.organization, at=timezone.now())
        return Response(RunSerializer(run).data)


def amounts_of(sent: dict[str, list[dict[str, UUID | Decimal]]]) -> dict[UUID, Decimal] | None:
    """By line; None: all that is left. Raises ValidationError for a line that is there twice."""
    if "lines" not in sent:
        return None
    amounts = {each["line"]: each["amount"] for each in sent["lines"]}
    if len(amounts) < len(sent["lines"]):
        raise serializers.ValidationError({"lines": "A line is there more than once."})
    return amounts  # type: ignore[return-value]
