"""What a month of a customer's would have come to on each plan. Operators: it tells cost and margin."""

from datetime import date
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.billing import TAG, BillingView
from apps.api.v1.billing_fields import ID, OTHER_ID
from apps.api.v1.fields import EARLIEST, LATEST, Amount, Text, Told
from apps.api.v1.params import Params
from apps.api.v1.problems import InvalidParameters
from apps.api.v1.schema import operation
from apps.billing.charges import Kind
from apps.billing.models import PlanVersion
from apps.billing.periods import Period
from apps.billing.queries.plans import current_versions
from apps.billing.queries.simulation import Simulation, last_month, month_of, simulate, usage_of
from apps.billing.queries.subscriptions import subscription_at
from apps.customers.models import Customer
from apps.kit.errors import Refused

ON_PLAN = {
    "plan": ID,
    "plan_name": "Pro",
    "version": 1,
    "is_current": True,
    "currency": "USD",
    "total": "219",
    "priced": "180",
    "difference": "39",
    "cost": "150",
    "margin": "69",
    "lines": [{"kind": "fee", "name": "Pro", "quantity": None, "unit": "period", "amount": "99"}],
}
EXAMPLE = {
    "customer": OTHER_ID,
    "month": "2026-02-01",
    "priced": "180",
    "cost": "150",
    "plans": [ON_PLAN],
    "problems": [{"plan": ID, "detail": "There is no exchange rate of EUR for 2026-02-01."}],
}


class SimulationSerializer(Told):
    """A month on each plan that is offered, and on the one that the customer is on; before coupons and tax."""

    customer = serializers.UUIDField()
    month = serializers.DateField(help_text="Its first day.")
    priced = Amount(help_text="USD: what its requests were charged one by one.")
    cost = Amount(help_text="USD: what they cost you.")
    plans = inline_serializer(
        "SimulatedPlan",
        {
            "plan": serializers.UUIDField(),
            "plan_name": serializers.CharField(),
            "version": serializers.IntegerField(),
            "is_current": serializers.BooleanField(help_text="The customer is on these terms."),
            "currency": serializers.CharField(help_text="Of all that follows."),
            "total": Amount(),
            "priced": Amount(),
            "difference": Amount(help_text="Above zero: the plan brings more."),
            "cost": Amount(),
            "margin": Amount(),
            "lines": inline_serializer(
                "SimulatedLine",
                {
                    "kind": serializers.CharField(),
                    "name": serializers.CharField(),
                    "quantity": Amount(allow_null=True),
                    "unit": serializers.CharField(),
                    "amount": Amount(),
                },
                many=True,
            ),
        },
        many=True,
    )
    problems = inline_serializer(
        "SimulationProblem", {"plan": serializers.UUIDField(), "detail": serializers.CharField()}, many=True
    )


class SimulationParams(Params):
    month = Text(required=False, max_length=7, help_text="Such as 2026-02; if not told, the last that is over.")


class CustomerSimulation(BillingView):
    @operation(
        "billing:read", "Simulate plans", name="simulate_plans", tag=TAG, params=SimulationParams,
        answer=SimulationSerializer, example=EXAMPLE, errors=(404,), is_operators=True,
    )  # fmt: skip
    def get(self, request: Request, customer_id: UUID) -> Response:
        """What a customer's month would have come to on each plan, next to what it was charged and what it cost."""
        customer = self.customer_or_404(customer_id)
        month = self._month(SimulationParams.of(request))
        used = usage_of(customer, month)
        current = subscription_at(customer, timezone.now())
        versions = current_versions(self.organization)
        if current and current.version not in versions:
            versions.append(current.version)
        rows, problems = [], []
        for version in versions:
            try:
                rows.append(_told(simulate(customer, version, month, used), current and current.version))
            except Refused as refusal:  # a plan in a currency without an exchange rate
                problems.append({"plan": version.plan_id, "detail": str(refusal)})
        found = {"priced": used.price, "cost": used.cost, "plans": rows, "problems": problems}
        return Response(SimulationSerializer(_of(customer, month) | found).data)

    def _month(self, params: dict[str, Any]) -> Period:
        zone = self.organization.time_zone
        if not params.get("month"):
            return last_month(timezone.now(), zone)
        try:
            first = date.fromisoformat(f"{params['month']}-01")
        except ValueError:
            raise InvalidParameters({"month": "A month such as 2026-02."}) from None
        if not EARLIEST.date() < first < LATEST.date():
            raise InvalidParameters({"month": "Months are from 2000-02 up to 2199-12."})
        return month_of(first, zone)


def _of(customer: Customer, month: Period) -> dict[str, Any]:
    return {"customer": customer.pk, "month": month.first}


def _told(simulation: Simulation, current: PlanVersion | None) -> dict[str, Any]:
    version = simulation.version
    pairs = zip(simulation.charges.lines, simulation.totals.lines, strict=True)
    lines = [
        {
            "kind": line.kind.value,
            "name": line.name or version.plan.name,
            "quantity": None if line.kind is Kind.FEE else line.quantity,
            "unit": line.unit,
            "amount": total.amount,
        }
        for line, total in pairs
    ]
    return {
        "plan": version.plan_id,
        "plan_name": version.plan.name,
        "version": version.number,
        "is_current": version == current,
        "currency": version.currency,
        "total": simulation.totals.total,
        "priced": simulation.priced,
        "difference": simulation.difference,
        "cost": simulation.cost,
        "margin": simulation.margin,
        "lines": lines,
    }
