"""Where billing stands: of the organization as a whole, of a customer's current period; and what was paid."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.billing import TAG, BillingView, OfCustomer
from apps.api.v1.billing_fields import ID, OTHER_ID
from apps.api.v1.fields import Amount, Instant, Told
from apps.api.v1.paging import newest_first, page
from apps.api.v1.schema import operation, page_of
from apps.billing.invoicing.preview import preview
from apps.billing.models import Payment
from apps.billing.queries.overview import monthly_recurring, months_of, movers, receivables

CURRENT = {
    "customer": OTHER_ID,
    "period_start": "2026-03-01T00:00:00Z",
    "period_end": "2026-04-01T00:00:00Z",
    "currency": "EUR",
    "used": "31.4",
    "total": "37.37",
    "forecast": "96.12",
    "lines": [{"kind": "usage", "description": "gpt-4o · input", "amount": "31.4"}],
    "allowances": [{"name": "Tokens", "metric": "tokens", "included": "1000000", "used": "250000", "left": "750000"}],
}
OVERVIEW = {
    "months": [{"month": "2026-03-01", "usage": "900", "fees": "100", "cost": "700", "margin": "300"}],
    "recurring": [{"currency": "USD", "amount": "495"}],
    "receivables": [{"age": "1 to 30 days", "currency": "EUR", "amount": "119"}],
    "movers": [{"customer": OTHER_ID, "name": "Globex", "now": "420", "before": "260"}],
}
PAYMENT = {
    "id": ID,
    "customer": OTHER_ID,
    "invoice": None,
    "provider": "stripe",
    "state": "succeeded",
    "currency": "USD",
    "amount": "50",
    "tax": "0",
    "credit": "50",
    "refunded": "0",
    "is_automatic": False,
    "paid_at": "2026-03-10T12:00:00Z",
    "created_at": "2026-03-10T11:59:58Z",
}


class MoneySerializer(Told):
    """An amount of a currency."""

    currency = serializers.CharField()
    amount = Amount()


class OverviewSerializer(Told):
    """Usage, fees, cost and margin in USD; what is owed, and what recurs each month, in the currencies it is in."""

    months = inline_serializer(
        "BillingMonth",
        {"month": serializers.DateField(), "usage": Amount(), "fees": Amount(), "cost": Amount(), "margin": Amount()},
        many=True,
    )
    recurring = MoneySerializer(many=True)
    receivables = inline_serializer(
        "Receivable",
        {"age": serializers.CharField(), "currency": serializers.CharField(), "amount": Amount()},
        many=True,
    )
    movers = inline_serializer(
        "Mover",
        {"customer": serializers.UUIDField(), "name": serializers.CharField(), "now": Amount(), "before": Amount()},
        many=True,
    )


class CurrentPeriodSerializer(Told):
    """What the period comes to so far, as its invoice would be."""

    customer = serializers.UUIDField()
    period_start = Instant()
    period_end = Instant(help_text="The first instant that is not part of it.")
    currency = serializers.CharField()
    used = Amount(help_text="What usage comes to, before what is paid from credit.")
    total = Amount()
    forecast = Amount(help_text="The total at the period's end, if usage goes on as it did.")
    lines = inline_serializer(
        "CurrentLine",
        {"kind": serializers.CharField(), "description": serializers.CharField(), "amount": Amount()},
        many=True,
    )
    allowances = inline_serializer(
        "IncludedUsage",
        {
            "name": serializers.CharField(),
            "metric": serializers.CharField(),
            "included": Amount(),
            "used": Amount(),
            "left": Amount(),
        },
        many=True,
    )


class PaymentSerializer(Told):
    """Money that came in, or is on its way."""

    id = serializers.UUIDField()
    customer = serializers.UUIDField(source="customer_id")
    invoice = serializers.UUIDField(source="invoice_id", allow_null=True)
    provider = serializers.CharField()
    state = serializers.CharField(help_text="`pending`, `succeeded` or `failed`.")
    currency = serializers.CharField()
    amount = Amount()
    tax = Amount()
    credit = Amount(help_text="In USD: what of it bought credit.")
    refunded = Amount()
    is_automatic = serializers.BooleanField(help_text="An automatic top-up.")
    paid_at = Instant(allow_null=True)
    created_at = Instant()


class BillingOverview(BillingView):
    @operation(
        "billing:read", "Get the billing overview", name="get_billing_overview", tag=TAG, answer=OverviewSerializer,
        example=OVERVIEW,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """Operators: the last twelve months, what recurs, who owes for how long, whose usage moved most."""
        if not self.is_operators:
            raise PermissionDenied("That is for operators.")
        organization, now = self.organization, timezone.now()
        told = {
            "months": [
                {"month": each.first, "usage": each.price, "fees": each.fees, "cost": each.cost, "margin": each.margin}
                for each in months_of(organization, at=now)
            ],
            "recurring": _amounts(monthly_recurring(organization, at=now)),
            "receivables": [
                {"age": age.label, **amount}
                for age in receivables(organization, on=timezone.localdate())
                for amount in _amounts(age.amounts)
            ],
            "movers": [
                {"customer": each.customer_id, "name": each.name, "now": each.now, "before": each.before}
                for each in movers(organization, at=now)
            ],
        }
        return Response(OverviewSerializer(told).data)


class CurrentPeriod(BillingView):
    @operation(
        "billing:read", "Get a customer's current period", name="get_current_period", tag=TAG,
        answer=CurrentPeriodSerializer, example=CURRENT, errors=(404, 409),
    )  # fmt: skip
    def get(self, request: Request, customer_id: UUID) -> Response:
        """A conflict where its operator has to set something first, such as an exchange rate."""
        shown = preview(self.customer_or_404(customer_id), at=timezone.now())
        told = {
            "customer": customer_id,
            "period_start": shown.due.period.since_at,
            "period_end": shown.due.period.until_at,
            "currency": shown.currency,
            "used": shown.used,
            "total": shown.total,
            "forecast": shown.forecast,
            "lines": shown.lines,
            "allowances": shown.allowances,
        }
        return Response(CurrentPeriodSerializer(told).data)


class PaymentList(BillingView):
    @operation(
        "billing:read", "List payments", name="list_payments", tag=TAG, params=OfCustomer,
        answer=page_of(PaymentSerializer), example={"data": [PAYMENT], "next": None}, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The newest first, those that failed too."""
        params = OfCustomer.of(request)
        payments = Payment.objects.filter(customer__in=self.customers())
        if customer_id := self.customer_in(params):
            payments = payments.filter(customer=customer_id)
        found, after = newest_first(payments, params)
        return page(PaymentSerializer(found, many=True).data, after)


def _amounts(pairs: list[tuple[str, Decimal]]) -> list[dict[str, Any]]:
    return [{"currency": currency, "amount": amount} for currency, amount in pairs]
