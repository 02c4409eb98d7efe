"""Billing: invoices, credit notes, wallets, the ledger, plans. A customer's token sees its own, and no drafts."""

from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1 import billing_fields as told
from apps.api.v1.base import ApiView
from apps.api.v1.paging import newest_first, page
from apps.api.v1.params import ForCustomer, Paged
from apps.api.v1.schema import operation, page_of
from apps.billing.documents.faces import credit_note_pdf_answer, invoice_pdf_answer
from apps.billing.documents.plain import credit_note_plain, invoice_plain, invoice_summary
from apps.billing.models import (
    CreditNote,
    Invoice,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Plan,
    PlanVersion,
    Subscription,
    Wallet,
)

TAG = "Billing"
OWN_ACCOUNTS = (LedgerAccount.Kind.CREDIT, LedgerAccount.Kind.RECEIVABLE)
PDF: dict[Any, Any] = {(200, "application/pdf"): OpenApiTypes.BINARY}


class OfCustomer(ForCustomer, Paged):
    """Those of one customer."""


class InvoiceParams(OfCustomer):
    state = serializers.ChoiceField(choices=Invoice.State.values, required=False)
    kind = serializers.ChoiceField(choices=Invoice.Kind.values, required=False)


class TransactionParams(OfCustomer):
    kind = serializers.ChoiceField(choices=LedgerTransaction.Kind.values, required=False)


class BillingView(ApiView):
    def invoices(self) -> QuerySet[Invoice]:
        """Those that the token shows: a draft is not for the customer yet."""
        found = Invoice.objects.filter(customer__in=self.customers()).select_related("organization", "customer")
        return found if self.is_operators else found.final()

    def today(self) -> date:
        """In the organization's zone."""
        return timezone.now().astimezone(self.zone).date()

    def credit_notes(self) -> QuerySet[CreditNote]:
        notes = CreditNote.objects.filter(invoice__customer__in=self.customers())
        return notes.select_related("invoice").prefetch_related("lines")


class InvoiceList(BillingView):
    @operation(
        "billing:read", "List invoices", name="list_invoices", tag=TAG, params=InvoiceParams,
        answer=page_of(told.InvoiceSerializer), example={"data": [told.INVOICE], "next": None}, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The newest first, without their lines."""
        params = InvoiceParams.of(request)
        invoices = self.invoices().filter(**{name: params[name] for name in ("state", "kind") if name in params})
        if customer_id := self.customer_in(params):
            invoices = invoices.filter(customer=customer_id)
        found, after = newest_first(invoices, params)
        return page([told.InvoiceSerializer(invoice_summary(each)).data for each in found], after)


class InvoiceDetail(BillingView):
    @operation(
        "billing:read", "Get an invoice", name="get_invoice", tag=TAG, answer=told.InvoiceDetailSerializer,
        example=told.INVOICE_DETAIL, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request, invoice_id: UUID) -> Response:
        """All that stands on it: who sold and bought, lines, taxes."""
        invoice = get_object_or_404(self.invoices(), pk=invoice_id)
        return Response(told.InvoiceDetailSerializer(invoice_plain(invoice)).data)


class InvoicePdf(BillingView):
    @operation(
        "billing:read", "Get an invoice as PDF", name="get_invoice_pdf", tag=TAG, answers=PDF, errors=(404,)
    )  # fmt: skip
    def get(self, request: Request, invoice_id: UUID) -> HttpResponse:
        """The document that is sent by e-mail; the same bytes as long as its state is the same."""
        return invoice_pdf_answer(get_object_or_404(self.invoices(), pk=invoice_id))


class CreditNoteList(BillingView):
    @operation(
        "billing:read", "List credit notes", name="list_credit_notes", tag=TAG, params=OfCustomer,
        answer=page_of(told.CreditNoteSerializer), example={"data": [told.CREDIT_NOTE], "next": None}, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The newest first."""
        params = OfCustomer.of(request)
        notes = self.credit_notes()
        if customer_id := self.customer_in(params):
            notes = notes.filter(invoice__customer=customer_id)
        found, after = newest_first(notes, params)
        return page([told.CreditNoteSerializer(credit_note_plain(each)).data for each in found], after)


class CreditNoteDetail(BillingView):
    @operation(
        "billing:read", "Get a credit note", name="get_credit_note", tag=TAG, answer=told.CreditNoteSerializer,
        example=told.CREDIT_NOTE, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request, note_id: UUID) -> Response:
        """What it takes back, and how."""
        note = get_object_or_404(self.credit_notes(), pk=note_id)
        return Response(told.CreditNoteSerializer(credit_note_plain(note)).data)


class CreditNotePdf(BillingView):
    @operation(
        "billing:read", "Get a credit note as PDF", name="get_credit_note_pdf", tag=TAG, answers=PDF, errors=(404,)
    )  # fmt: skip
    def get(self, request: Request, note_id: UUID) -> HttpResponse:
        """The document that is sent by e-mail."""
        return credit_note_pdf_answer(get_object_or_404(self.credit_notes(), pk=note_id))


class CustomerWallet(BillingView):
    @operation(
        "billing:read", "Get a wallet", name="get_wallet", tag=TAG, answer=told.WalletSerializer, example=told.WALLET,
        errors=(404,),
    )  # fmt: skip
    def get(self, request: Request, customer_id: UUID) -> Response:
        """A customer's prepaid credit; not found where it has no wallet."""
        wallet = wallet_of(self, customer_id)
        return Response(told.WalletSerializer(wallet, context={"is_operators": self.is_operators}).data)


class WalletLots(BillingView):
    @operation(
        "billing:read", "List credit of a wallet", name="list_credit_lots", tag=TAG, params=Paged,
        answer=page_of(told.CreditLotSerializer), example={"data": [told.LOT], "next": None}, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request, customer_id: UUID) -> Response:
        """All that was ever bought or given, the newest first; `remaining` is what is left of it."""
        found, after = newest_first(wallet_of(self, customer_id).lots.all(), Paged.of(request))
        return page(told.CreditLotSerializer(found, many=True).data, after)


class LedgerTransactionList(BillingView):
    @operation(
        "billing:read", "List ledger transactions", name="list_ledger_transactions", tag=TAG,
        params=TransactionParams, answer=page_of(told.LedgerTransactionSerializer),
        example={"data": [told.TRANSACTION], "next": None}, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The newest booking first. All entries of a transaction sum to zero in each currency."""
        params = TransactionParams.of(request)
        entries = LedgerEntry.objects.select_related("account").order_by("pk")
        if not self.is_operators:
            entries = entries.filter(account__customer=self.token.customer_id, account__kind__in=OWN_ACCOUNTS)
        shown = Prefetch("entries", entries, to_attr="shown_entries")
        rows = LedgerTransaction.objects.filter(organization=self.organization).prefetch_related(shown)
        if customer_id := self.customer_in(params):
            rows = rows.filter(customer=customer_id)
        if "kind" in params:
            rows = rows.filter(kind=params["kind"])
        found, after = newest_first(rows, params)
        return page(told.LedgerTransactionSerializer(found, many=True).data, after)


class PlanList(BillingView):
    @operation(
        "billing:read", "List plans", name="list_plans", tag=TAG, params=Paged, answer=page_of(told.PlanSerializer),
        example={"data": [told.PLAN], "next": None}, errors=(),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """What is offered, retired ones too. A customer is shown those that it is on, or was."""
        plans = Plan.objects.filter(organization=self.organization)
        if not self.is_operators:
            plans = plans.filter(versions__subscriptions__customer=self.token.customer_id).distinct()
        found, after = newest_first(plans, Paged.of(request))
        for plan in found:
            plan.newest = self._terms(plan)  # type: ignore[attr-defined]
        context = {"is_operators": self.is_operators}
        return page(told.PlanSerializer(found, many=True, context=context).data, after)

    def _terms(self, plan: Plan) -> PlanVersion | None:
        """The newest; of a customer, the newest that it is on."""
        versions = plan.versions.order_by("-number")
        if not self.is_operators:
            versions = versions.filter(subscriptions__customer=self.token.customer_id)
        return versions.first()


class SubscriptionList(BillingView):
    @operation(
        "billing:read", "List subscriptions", name="list_subscriptions", tag=TAG, params=OfCustomer,
        answer=page_of(told.SubscriptionSerializer), example={"data": [told.SUBSCRIPTION], "next": None},
        errors=(404,),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The newest first, those that ended too."""
        params = OfCustomer.of(request)
        rows = Subscription.objects.filter(customer__in=self.customers()).select_related("version__plan")
        if customer_id := self.customer_in(params):
            rows = rows.filter(customer=customer_id)
        found, after = newest_first(rows, params)
        context = {"is_operators": self.is_operators}
        return page(told.SubscriptionSerializer(found, many=True, context=context).data, after)


def wallet_of(view: BillingView, customer_id: UUID) -> Wallet:
    """The customer's wallet, if the token shows the customer and it has one."""
    wallets = Wallet.objects.select_related("account", "customer__organization")
    return get_object_or_404(wallets, customer=view.customer_or_404(customer_id))
