"""Customers on plans: begun, changed, ended, kept; and what a month of theirs would come to on any. Operators."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1 import billing_fields as told
from apps.api.v1.billing import TAG, BillingView, SubscriptionList
from apps.api.v1.billing_inputs import WRITES, one_of
from apps.api.v1.bodies import read_body
from apps.api.v1.plan_inputs import ChangeSerializer, EndSerializer, NewSubscriptionSerializer
from apps.api.v1.schema import operation
from apps.billing.models import PlanVersion, Subscription
from apps.billing.services.plans import newest_version
from apps.billing.services.subscriptions import change_subscription, end_subscription, keep_subscription, subscribe

ENDED = told.SUBSCRIPTION | {"ends_at": "2026-04-01T00:00:00Z"}


class Subscriptions(SubscriptionList):
    @operation(
        "billing:write", "Put a customer on a plan", name="add_subscription", tag=TAG, body=NewSubscriptionSerializer,
        answer=told.SubscriptionSerializer, status=201, example=told.SUBSCRIPTION, errors=WRITES,
        sent={"customer": told.OTHER_ID, "plan": told.ID}, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """On the plan's newest terms. A conflict where it is on a plan then: change that one."""
        sent = read_body(NewSubscriptionSerializer, request)
        customer, version = self.customer_or_404(sent.pop("customer")), newest(self, sent.pop("plan"))
        made = subscribe(customer, version, by=None, at=timezone.now(), **sent)
        return Response(subscription_told(self, made), status=201)


class SubscriptionDetail(BillingView):
    def subscriptions(self) -> QuerySet[Subscription]:
        found = Subscription.objects.filter(customer__in=self.customers())
        return found.select_related("version__plan", "customer__organization")

    def subscription_or_404(self, subscription_id: UUID) -> Subscription:
        return get_object_or_404(self.subscriptions(), pk=subscription_id)

    @operation(
        "billing:read", "Get a subscription", name="get_subscription", tag=TAG,
        answer=told.SubscriptionSerializer, example=told.SUBSCRIPTION, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request, subscription_id: UUID) -> Response:
        """A customer on a plan, with its terms."""
        return Response(subscription_told(self, self.subscription_or_404(subscription_id)))


class SubscriptionChange(SubscriptionDetail):
    http_method_names = ["post", "options"]  # noqa: RUF012  as Django's

    @operation(
        "billing:write", "Change a subscription", name="change_subscription", tag=TAG, body=ChangeSerializer,
        answer=told.SubscriptionSerializer, status=201, example=told.SUBSCRIPTION, errors=WRITES,
        sent={"plan": told.ID, "when": "period_end"}, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, subscription_id: UUID) -> Response:
        """To another plan, or to the newest terms of its own: the answer is the subscription that follows.

        A change that was to come is replaced by this one.
        """
        subscription, sent = self.subscription_or_404(subscription_id), read_body(ChangeSerializer, request)
        version, at_end = newest(self, sent["plan"]), sent["when"] == "period_end"
        follows = change_subscription(subscription, version, by=None, at=timezone.now(), at_period_end=at_end)
        return Response(subscription_told(self, follows), status=201)


class SubscriptionEnd(SubscriptionDetail):
    http_method_names = ["post", "options"]  # noqa: RUF012  as Django's

    @operation(
        "billing:write", "End a subscription", name="end_subscription", tag=TAG, body=EndSerializer,
        answer=told.SubscriptionSerializer, example=ENDED, sent={"when": "period_end"}, errors=WRITES,
        is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, subscription_id: UUID) -> Response:
        """After today, or when the period is over. One that has not begun is gone: it ends as it starts."""
        subscription = self.subscription_or_404(subscription_id)
        at_end = read_body(EndSerializer, request)["when"] == "period_end"
        ended = end_subscription(subscription, by=None, at=timezone.now(), at_period_end=at_end)
        if ended.pk is None:
            ended.pk, ended.ends_at = subscription_id, ended.starts_at
        return Response(subscription_told(self, ended))


class SubscriptionKeep(SubscriptionDetail):
    http_method_names = ["post", "options"]  # noqa: RUF012  as Django's

    @operation(
        "billing:write", "Keep a subscription", name="keep_subscription", tag=TAG,
        answer=told.SubscriptionSerializer, example=told.SUBSCRIPTION, errors=(404, 409), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, subscription_id: UUID) -> Response:
        """An end or a change that is still to come does not. A conflict where it has come."""
        kept = keep_subscription(self.subscription_or_404(subscription_id), by=None, at=timezone.now())
        return Response(subscription_told(self, kept))


def newest(view: BillingView, plan_id: UUID) -> PlanVersion:
    """The terms by which a plan of the organization is offered. Raises ValidationError."""
    return newest_version(one_of(view.organization.plans.all(), plan_id, "plan"))


def subscription_told(view: BillingView, subscription: Subscription) -> dict[str, Any]:
    """As the token may see it."""
    context = {"is_operators": view.is_operators}
    data: dict[str, Any] = told.SubscriptionSerializer(subscription, context=context).data
    return data
