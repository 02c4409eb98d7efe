"""Limits of customers, keys and end users: those that are set, and where they stand. A change holds at once."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.base import ApiView
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Text, Told
from apps.api.v1.keys import KeyView
from apps.api.v1.limit_fields import (
    LimitChangesSerializer,
    LimitsSerializer,
    StandingSerializer,
    ToldLimitState,
    UserLimitsSerializer,
    standing,
    told_states,
)
from apps.api.v1.paging import newest_first, page
from apps.api.v1.params import Paged
from apps.api.v1.schema import operation, page_of
from apps.customers.limit_fields import LIMITS
from apps.customers.models import Customer
from apps.customers.services import update_customer
from apps.keys.models import ProxyKey
from apps.keys.services.proxy_keys import limit_proxy_key
from apps.limits.models import EndUserLimit
from apps.limits.services import remove_end_user_limits, set_end_user_limits
from apps.limits.terms import Scope
from apps.usage.standing import standing_of_key, standings_of, standings_of_end_users

TAG = "Limits"
SET = dict.fromkeys(LIMITS) | {"daily_cap": "25"}
STATE = {
    "name": "daily_cap",
    "unit": "usd",
    "limit": "25",
    "used": "3.75",
    "held": "0.0125",
    "left": "21.2375",
    "resets_at": "2026-03-11T00:00:00Z",
    "is_sure": True,
}
EXAMPLE = {"limits": SET, "now": [STATE]}
OF_USER = {"id": "0192f3c1-9b10-7e02-b1d0-9f3c5a7d1e55", "user": "ada", **EXAMPLE}


class UserLimitSerializer(Told):
    """The limits of one end user, or of each who has none of their own."""

    id = serializers.UUIDField()
    user = serializers.CharField(allow_null=True, help_text="null: each who has no limits of their own.")
    limits = LimitsSerializer()
    now = ToldLimitState(many=True, allow_null=True, help_text="null: not known at the moment, or not of one user.")


class UserLimitParams(Paged):
    search = Text(required=False, max_length=200, help_text="Part of the user's name.")


class CustomerLimits(ApiView):
    @operation(
        "limits:read",
        "Get a customer's limits",
        name="get_customer_limits",
        tag=TAG,
        answer=StandingSerializer,
        example=EXAMPLE,
        errors=(404,),
    )
    def get(self, request: Request, customer_id: UUID) -> Response:
        """What is set, and what is used of it."""
        return Response(_of_customer(self.customer_or_404(customer_id)))

    @operation(
        "limits:write",
        "Set a customer's limits",
        name="set_customer_limits",
        tag=TAG,
        body=LimitChangesSerializer,
        answer=StandingSerializer,
        example=EXAMPLE,
        sent={"daily_cap": "25"},
        errors=(404, 415),
    )
    def patch(self, request: Request, customer_id: UUID) -> Response:
        """Operators: a customer does not set its own."""
        customer = self.customer_or_404(customer_id)
        if not self.is_operators:
            raise PermissionDenied("The limits of a customer are set by its operator.")
        return Response(_of_customer(update_customer(customer, by=None, **read_body(LimitChangesSerializer, request))))


class KeyLimits(KeyView):
    @operation(
        "limits:read",
        "Get a key's limits",
        name="get_key_limits",
        tag=TAG,
        answer=StandingSerializer,
        example=EXAMPLE,
        errors=(404,),
    )
    def get(self, request: Request, key_id: UUID) -> Response:
        """They hold within the customer's."""
        return Response(_of_key(self.key_or_404(key_id)))

    @operation(
        "limits:write",
        "Set a key's limits",
        name="set_key_limits",
        tag=TAG,
        body=LimitChangesSerializer,
        answer=StandingSerializer,
        example=EXAMPLE,
        sent={"daily_cap": "25"},
        errors=(404, 415),
    )
    def patch(self, request: Request, key_id: UUID) -> Response:
        """They hold within the customer's, from the next call on."""
        key = self.key_or_404(key_id)
        limit_proxy_key(key, by=None, **read_body(LimitChangesSerializer, request))
        return Response(_of_key(self.key_or_404(key_id)))


class UserLimits(ApiView):
    @operation(
        "limits:read",
        "List the limits of end users",
        name="list_user_limits",
        tag=TAG,
        params=UserLimitParams,
        answer=page_of(UserLimitSerializer),
        example={"data": [OF_USER], "next": None},
        errors=(404,),
    )
    def get(self, request: Request, customer_id: UUID) -> Response:
        """Those with limits of their own, and the default for the others (`user` null)."""
        customer = self.customer_or_404(customer_id)
        params = UserLimitParams.of(request)
        rows = EndUserLimit.objects.filter(customer=customer)
        if wanted := params.get("search"):
            rows = rows.filter(end_user__icontains=wanted)
        found, after = newest_first(rows, params)
        return page(_of_users(customer, found), after)

    @operation(
        "limits:write",
        "Set the limits of an end user",
        name="set_user_limits",
        tag=TAG,
        body=UserLimitsSerializer,
        answer=UserLimitSerializer,
        example=OF_USER,
        sent={"user": "ada", "daily_cap": "25"},
        errors=(404, 415),
    )
    def put(self, request: Request, customer_id: UUID) -> Response:
        """To exactly these: what is left out is not limited. `user` null: each who has no limits of their own."""
        customer = self.customer_or_404(customer_id)
        limits = read_body(UserLimitsSerializer, request)
        row = set_end_user_limits(customer, limits.pop("user"), by=None, **limits)
        return Response(_of_users(customer, [row])[0])


class UserLimit(ApiView):
    @operation(
        "limits:write",
        "Remove the limits of an end user",
        name="remove_user_limits",
        tag=TAG,
        status=204,
        errors=(404,),
    )
    def delete(self, request: Request, customer_id: UUID, limit_id: UUID) -> Response:
        """The default holds for that user again."""
        customer = self.customer_or_404(customer_id)
        rows = EndUserLimit.objects.filter(customer=customer).select_related("customer__organization")
        row = get_object_or_404(rows, pk=limit_id)
        remove_end_user_limits(row, by=None)
        return Response(status=204)


def _of_customer(customer: Customer) -> dict[str, Any]:
    standings = standings_of(customer, at=timezone.now())
    states = None
    if standings is not None:
        states = [state for each in standings if each.scope is Scope.CUSTOMER for state in each.states]
    return standing(customer, states)


def _of_key(key: ProxyKey) -> dict[str, Any]:
    if all(getattr(key, name) is None for name in LIMITS):
        return standing(key, [])
    found = standing_of_key(key, at=timezone.now())
    return standing(key, None if found is None else found.states)


def _of_users(customer: Customer, rows: list[EndUserLimit]) -> list[dict[str, Any]]:
    named = [row for row in rows if row.end_user is not None]
    standings = standings_of_end_users(customer, [(row, str(row.end_user)) for row in named], at=timezone.now())
    states = {row.pk: told_states(each.states) for row, each in zip(named, standings or (), strict=False)}
    return [
        {"id": row.pk, "user": row.end_user, "limits": standing(row, None)["limits"], "now": states.get(row.pk)}
        for row in rows
    ]
