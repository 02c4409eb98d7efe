"""How a customer is billed, and its account: its own token reads both, and changes who it is."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1 import billing_fields as told
from apps.api.v1.billing import PDF, TAG, BillingView
from apps.api.v1.billing_inputs import WRITES, Day, one_of
from apps.api.v1.bodies import read_body
from apps.api.v1.details_inputs import DetailsChangesSerializer, OwnDetailsSerializer, with_tax_id
from apps.api.v1.fields import Amount, Told
from apps.api.v1.params import Params
from apps.api.v1.problems import InvalidParameters
from apps.api.v1.schema import operation
from apps.billing.documents.faces import pdf_answer
from apps.billing.documents.pdf import as_pdf
from apps.billing.documents.plain import statement_plain
from apps.billing.documents.statement_faces import statement_name
from apps.billing.documents.statements import statement_document
from apps.billing.models import BillingDetails
from apps.billing.parties import details_of
from apps.billing.queries.statements import Account, Statement, statement
from apps.billing.services.details import currency_of, update_details

DETAILS = {
    "customer": told.OTHER_ID,
    "legal_name": "Globex S.A.",
    "address": "1 Rue de la Loi\n1000 Brussels",
    "country": "BE",
    "tax_id": "BE0403170701",
    "email": "billing@globex.example",
    "language": "en",
    "purchase_order": "PO-4711",
    "currency": "EUR",
    "tax_status": "taxed",
    "tax_rate": None,
    "net_days": None,
    "is_reminded": True,
}
STATEMENT = {
    "customer": told.OTHER_ID,
    "account": "invoices",
    "currency": "EUR",
    "since": "2026-01-01",
    "until": "2026-03-31",
    "opening": "0",
    "closing": "119",
    "due": "119",
    "movements": [
        {
            "on": "2026-03-02",
            "since": None,
            "kind": "invoice",
            "number": "INV-00042",
            "amount": "119",
            "balance": "119",
        },
    ],
    "open_invoices": [told.INVOICE],
}


class DetailsSerializer(Told):
    """Who a customer is before the law, and how it is billed."""

    OPERATORS = ("tax_status", "tax_rate", "net_days", "is_reminded")

    customer = serializers.UUIDField(source="customer_id")
    legal_name = serializers.CharField()
    address = serializers.CharField(help_text="In lines, as they are printed.")
    country = serializers.CharField(help_text="ISO 3166.")
    tax_id = serializers.CharField()
    email = serializers.CharField(help_text="Where invoices go; empty: the customer's own address.")
    language = serializers.CharField(help_text="Of documents.")
    purchase_order = serializers.CharField()
    currency = serializers.SerializerMethodField(help_text="Of its invoices: its own, else yours.")
    tax_status = serializers.ChoiceField(
        choices=BillingDetails.TaxStatus.values, required=False, help_text="Operators."
    )
    tax_rate = serializers.UUIDField(
        source="tax_rate_id", allow_null=True, required=False, help_text="Operators. null: by its country."
    )
    net_days = serializers.IntegerField(
        allow_null=True, required=False, help_text="Operators. Days to pay; null: as for all."
    )
    is_reminded = serializers.BooleanField(required=False, help_text="Operators.")

    def get_currency(self, details: BillingDetails) -> str:
        return currency_of(details.customer, details)


class StatementSerializer(Told):
    """What was billed and paid over some days, or what became of prepaid credit.

    Of invoices, a balance above zero is what the customer owes; of credit, what is left of it, in USD.
    """

    customer = serializers.UUIDField()
    account = serializers.ChoiceField(choices=[str(each) for each in Account])
    currency = serializers.CharField()
    since = serializers.DateField()
    until = serializers.DateField(help_text="Included.")
    opening = Amount()
    closing = Amount()
    due = Amount(help_text="On invoices that are open now, whatever the days.")
    movements = inline_serializer(
        "Movement",
        {
            "on": serializers.DateField(help_text="Of a month's usage: the last day of it."),
            "since": serializers.DateField(allow_null=True, help_text="Of a month's usage: its first day."),
            "kind": serializers.CharField(help_text="As of ledger transactions."),
            "number": serializers.CharField(help_text="Of the document, or what else is told of it."),
            "amount": Amount(),
            "balance": Amount(help_text="After it."),
        },
        many=True,
    )
    open_invoices = told.InvoiceSerializer(many=True)


class StatementParams(Params):
    since = Day(help_text="The first day.")
    until = Day(required=False, help_text="The last day, included; if not told, today.")
    account = serializers.ChoiceField(
        choices=[str(each) for each in Account], default=str(Account.INVOICES),
        help_text="Of what was billed and paid, or of prepaid credit: its usage by day, of over 62 days by month.",
    )  # fmt: skip


class CustomerDetails(BillingView):
    @operation(
        "billing:read", "Get a customer's billing details", name="get_billing_details", tag=TAG,
        answer=DetailsSerializer, example=DETAILS, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request, customer_id: UUID) -> Response:
        """As documents have them."""
        return self.shown(details_of(self.customer_or_404(customer_id)))

    @operation(
        "billing:write", "Change a customer's billing details", name="update_billing_details", tag=TAG,
        body=DetailsChangesSerializer, answer=DetailsSerializer, example=DETAILS, errors=WRITES,
        sent={"legal_name": "Globex S.A.", "country": "BE", "tax_id": "BE0403170701"},
    )  # fmt: skip
    def patch(self, request: Request, customer_id: UUID) -> Response:
        """They are on documents from now on; invoices that are final stay as they are.

        A customer's token changes who it is; currency, taxes and days to pay are the operator's to set.
        """
        customer = self.customer_or_404(customer_id)
        changes = read_body(DetailsChangesSerializer if self.is_operators else OwnDetailsSerializer, request)
        if changes.get("tax_rate"):
            changes["tax_rate"] = one_of(self.organization.tax_rates.all(), changes["tax_rate"], "tax_rate")
        changes = with_tax_id(changes, details_of(customer))
        return self.shown(update_details(customer, by=None, **changes))

    def shown(self, details: BillingDetails) -> Response:
        """As the token may see them."""
        return Response(DetailsSerializer(details, context={"is_operators": self.is_operators}).data)


class CustomerStatement(BillingView):
    @operation(
        "billing:read", "Get a customer's statement", name="get_statement", tag=TAG, params=StatementParams,
        answer=StatementSerializer, example=STATEMENT, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request, customer_id: UUID) -> Response:
        """What was billed and paid over some days, and what is open now."""
        return Response(StatementSerializer(statement_plain(self.statement(request, customer_id))).data)

    def statement(self, request: Request, customer_id: UUID) -> Statement:
        """Of the days that are asked for. Raises InvalidParameters."""
        customer, params = self.customer_or_404(customer_id), StatementParams.of(request)
        since, until = params["since"], params.get("until") or self.today()
        if until < since:
            raise InvalidParameters({"until": "It is before since."})
        return statement(customer, since, until, Account(params["account"]))


class CustomerStatementPdf(CustomerStatement):
    @operation(
        "billing:read", "Get a customer's statement as PDF", name="get_statement_pdf", tag=TAG,
        params=StatementParams, answers=PDF, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request, customer_id: UUID) -> HttpResponse:
        """The same as a document."""
        found = self.statement(request, customer_id)
        return pdf_answer(as_pdf(statement_document(found)), statement_name(found))
