"""Customers: whom the organization sells to. A customer's token sees its own, and changes nothing of it."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import MOST_RETRIES
from apps.api.v1.base import ApiView
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Amount, Flag, Instant, Slug, Text, Told, Whole
from apps.api.v1.limit_fields import AccessSerializer, LimitInputs, LimitsSerializer
from apps.api.v1.paging import newest_first, page
from apps.api.v1.params import Paged
from apps.api.v1.schema import operation, page_of
from apps.customers.limit_fields import LIMITS
from apps.customers.models import Customer
from apps.customers.services import add_customer, resume_customer, suspend_customer, update_customer

TAG = "Customers"
EXAMPLE = {
    "id": "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11",
    "name": "Globex",
    "slug": "globex",
    "email": "ops@globex.example",
    "markup_percent": "20",
    "is_suspended": False,
    "suspended_at": None,
    "created_at": "2026-03-01T09:30:00Z",
    "limits": dict.fromkeys(LIMITS) | {"requests_per_minute": 600, "monthly_cap": "500"},
    "allowed_models": ["gpt-4o*"],
    "allowed_networks": [],
    "shortens_output": False,
    "retries": None,
}


class CustomerSerializer(AccessSerializer, Told):
    """A customer."""

    OPERATORS = ("markup_percent",)

    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()
    email = serializers.CharField()
    markup_percent = Amount(
        required=False, allow_null=True, help_text="Operators. null: the organization's default markup."
    )
    is_suspended = serializers.BooleanField(help_text="Its calls are refused.")
    suspended_at = Instant(allow_null=True)
    created_at = Instant()
    limits = LimitsSerializer(source="*")
    shortens_output = serializers.BooleanField()
    retries = serializers.IntegerField(allow_null=True)


class CustomerChangesSerializer(AccessSerializer, LimitInputs):
    """What to change of a customer. Members that are left out stay as they are."""

    name = Text(max_length=120, required=False, trim_whitespace=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    markup_percent = Amount(
        max_digits=9, decimal_places=4, min_value=-100, required=False, allow_null=True, help_text="null: the default."
    )
    shortens_output = Flag(required=False)
    retries = Whole(min_value=0, max_value=MOST_RETRIES, required=False, allow_null=True)


class NewCustomerSerializer(CustomerChangesSerializer):
    """A new customer."""

    name = Text(max_length=120, trim_whitespace=True)
    slug = Slug(max_length=63, required=False, help_text="How commands call it; if not told, made from the name.")


class CustomerParams(Paged):
    search = Text(required=False, max_length=120, help_text="Part of the name.")
    is_suspended = Flag(required=False)


class CustomerList(ApiView):
    @operation(
        "customers:read",
        "List customers",
        name="list_customers",
        tag=TAG,
        params=CustomerParams,
        answer=page_of(CustomerSerializer),
        example={"data": [EXAMPLE], "next": None},
    )
    def get(self, request: Request) -> Response:
        """The newest first. A customer's token gets its own customer."""
        params = CustomerParams.of(request)
        customers = self.customers()
        if wanted := params.get("search"):
            customers = customers.filter(name__icontains=wanted)
        if "is_suspended" in params:
            customers = customers.filter(suspended_at__isnull=not params["is_suspended"])
        found, after = newest_first(customers, params)
        return page([told(self, customer) for customer in found], after)

    @operation(
        "customers:write",
        "Add a customer",
        name="add_customer",
        tag=TAG,
        body=NewCustomerSerializer,
        answer=CustomerSerializer,
        status=201,
        example=EXAMPLE,
        sent={"name": "Globex", "markup_percent": "20", "monthly_cap": "500"},
        errors=(409, 415),
    )
    def post(self, request: Request) -> Response:
        """Limits that are left out are none. With a `slug`, a second request of the same is a conflict."""
        fields = read_body(NewCustomerSerializer, request)
        customer = add_customer(self.organization, by=None, **fields)
        return Response(told(self, customer), status=201)


class CustomerDetail(ApiView):
    @operation(
        "customers:read",
        "Get a customer",
        name="get_customer",
        tag=TAG,
        answer=CustomerSerializer,
        example=EXAMPLE,
        errors=(404,),
    )
    def get(self, request: Request, customer_id: UUID) -> Response:
        """One customer."""
        return Response(told(self, self.customer_or_404(customer_id)))

    @operation(
        "customers:write",
        "Change a customer",
        name="update_customer",
        tag=TAG,
        body=CustomerChangesSerializer,
        answer=CustomerSerializer,
        example=EXAMPLE,
        sent={"monthly_cap": "750", "retries": 2},
        errors=(404, 415),
    )
    def patch(self, request: Request, customer_id: UUID) -> Response:
        """It holds for the next call on every proxy."""
        customer = self.customer_or_404(customer_id)
        return Response(told(self, update_customer(customer, by=None, **read_body(CustomerChangesSerializer, request))))


class CustomerSuspend(ApiView):
    @operation(
        "customers:write",
        "Suspend a customer",
        name="suspend_customer",
        tag=TAG,
        answer=CustomerSerializer,
        example=EXAMPLE | {"is_suspended": True, "suspended_at": "2026-03-10T12:00:00Z"},
        errors=(404,),
    )
    def post(self, request: Request, customer_id: UUID) -> Response:
        """Its calls are refused within a second. One that is suspended stays as it is."""
        return Response(told(self, suspend_customer(self.customer_or_404(customer_id), by=None, at=timezone.now())))


class CustomerResume(ApiView):
    @operation(
        "customers:write",
        "Resume a customer",
        name="resume_customer",
        tag=TAG,
        answer=CustomerSerializer,
        example=EXAMPLE,
        errors=(404,),
    )
    def post(self, request: Request, customer_id: UUID) -> Response:
        """Its calls are let through again."""
        return Response(told(self, resume_customer(self.customer_or_404(customer_id), by=None)))


def told(view: ApiView, customer: Customer) -> dict[str, Any]:
    """The customer as the token may see it."""
    data: dict[str, Any] = CustomerSerializer(customer, context={"is_operators": view.is_operators}).data
    return data
