"""Plans: offered, changed by versions, retired. Operators; a customer's token reads those that it is on, or was."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1 import billing_fields as told
from apps.api.v1.billing import TAG, BillingView, PlanList
from apps.api.v1.billing_inputs import WRITES
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Told
from apps.api.v1.once import PARAMETER, once
from apps.api.v1.plan_inputs import NewPlanSerializer, PlanNameSerializer, TermsSerializer, terms_of
from apps.api.v1.schema import operation
from apps.billing.models import Plan, PlanVersion
from apps.billing.services.plans import add_plan, change_plan, offer_plan, rename_plan, retire_plan
from apps.billing.services.subscriptions import move_subscribers

DETAIL = told.PLAN | {"versions": [told.TERMS]}
CHARGE = {
    "name": "GPT-4o",
    "models": "gpt-4o*",
    "metric": "tokens",
    "mode": "graduated",
    "per": "1000000",
    "tiers": [{"up_to": "1000000", "unit": "5"}, {"up_to": None, "unit": "4"}],
}


class PlanDetailSerializer(told.PlanSerializer):
    """A plan with all its versions."""

    versions = told.PlanTermsSerializer(many=True, help_text="The first in front.")


class MovedSerializer(Told):
    """How many subscribers move when their periods are over."""

    moved = serializers.IntegerField()


class Plans(PlanList):
    @operation(
        "billing:write", "Offer a plan", name="add_plan", tag=TAG, body=NewPlanSerializer,
        answer=PlanDetailSerializer, status=201, example=DETAIL, errors=(409, 415), headers=[PARAMETER],
        sent={"name": "Pro", "fee": "99", "minimum": "200", "charges": [CHARGE]}, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Terms that are left out are as is usual: USD, a calendar month, a fee in advance, usage on the invoice."""
        sent = read_body(NewPlanSerializer, request)

        def add(_key: str) -> Response:
            fields = terms_of(sent, self.organization)
            version = add_plan(self.organization, by=None, at=timezone.now(), **fields)
            return Response(plan_told(self, version.plan), status=201)

        return once(self, request, add)


class PlanDetail(BillingView):
    def plan_or_404(self, plan_id: UUID) -> Plan:
        plans = Plan.objects.filter(organization=self.organization)
        if not self.is_operators:
            plans = plans.filter(versions__subscriptions__customer=self.token.customer_id).distinct()
        return get_object_or_404(plans, pk=plan_id)

    @operation(
        "billing:read", "Get a plan", name="get_plan", tag=TAG, answer=PlanDetailSerializer, example=DETAIL,
        errors=(404,),
    )  # fmt: skip
    def get(self, request: Request, plan_id: UUID) -> Response:
        """With all its versions; of a customer, those that it is on, or was."""
        return Response(plan_told(self, self.plan_or_404(plan_id)))

    @operation(
        "billing:write", "Rename a plan", name="rename_plan", tag=TAG, body=PlanNameSerializer,
        answer=PlanDetailSerializer, example=DETAIL, sent={"name": "Pro"}, errors=WRITES, is_operators=True,
    )  # fmt: skip
    def patch(self, request: Request, plan_id: UUID) -> Response:
        """Its name and description hold for all versions."""
        plan = self.plan_or_404(plan_id)
        named = {"name": plan.name, "description": plan.description} | read_body(PlanNameSerializer, request)
        return Response(plan_told(self, rename_plan(plan, by=None, **named)))


class PlanVersions(PlanDetail):
    http_method_names = ["post", "options"]  # noqa: RUF012  as Django's

    @operation(
        "billing:write", "Change a plan", name="change_plan", tag=TAG, body=TermsSerializer,
        answer=PlanDetailSerializer, status=201, example=DETAIL, sent={"fee": "119"}, errors=WRITES,
        is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, plan_id: UUID) -> Response:
        """Other terms, as the plan's next version. Who is on an earlier one stays on it: see `move`.

        Members that are left out stay as they are. Terms that are those of the newest version make no other.
        """
        plan = self.plan_or_404(plan_id)
        terms = terms_of(read_body(TermsSerializer, request), self.organization)
        change_plan(plan, by=None, at=timezone.now(), **terms)
        return Response(plan_told(self, plan), status=201)


class PlanRetire(PlanDetail):
    http_method_names = ["post", "options"]  # noqa: RUF012  as Django's

    @operation(
        "billing:write", "Retire a plan", name="retire_plan", tag=TAG, answer=PlanDetailSerializer,
        example=DETAIL | {"retired_at": "2026-03-11T12:00:00Z"}, errors=(404,), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, plan_id: UUID) -> Response:
        """Nobody new can be on it; who is on it stays. One that is retired stays so."""
        return Response(plan_told(self, retire_plan(self.plan_or_404(plan_id), by=None, at=timezone.now())))


class PlanOffer(PlanDetail):
    http_method_names = ["post", "options"]  # noqa: RUF012  as Django's

    @operation(
        "billing:write", "Offer a plan again", name="offer_plan", tag=TAG, answer=PlanDetailSerializer,
        example=DETAIL, errors=(404,), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, plan_id: UUID) -> Response:
        """One that was retired."""
        return Response(plan_told(self, offer_plan(self.plan_or_404(plan_id), by=None)))


class PlanMove(PlanDetail):
    http_method_names = ["post", "options"]  # noqa: RUF012  as Django's

    @operation(
        "billing:write", "Move subscribers to the newest terms", name="move_subscribers", tag=TAG,
        answer=MovedSerializer, example={"moved": 12}, errors=(404, 409), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, plan_id: UUID) -> Response:
        """Each when its period is over; those that are to change or to end stay as they are."""
        return Response({"moved": move_subscribers(self.plan_or_404(plan_id), by=None, at=timezone.now())})


def plan_told(view: BillingView, plan: Plan) -> dict[str, Any]:
    """A plan with the terms that the token shows."""
    versions: QuerySet[PlanVersion] = plan.versions.order_by("number")
    if not view.is_operators:
        versions = versions.filter(subscriptions__customer=view.token.customer_id).distinct()
    shown = list(versions)
    context = {"is_operators": view.is_operators}
    terms = [told.PlanTermsSerializer(version, context=context).data for version in shown]
    plan.newest = shown[-1] if shown else None  # type: ignore[attr-defined]
    return {**told.PlanSerializer(plan, context=context).data, "versions": terms}
