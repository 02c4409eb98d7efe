"""Coupons: made, retired, given to customers and taken from them. Operators."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.billing import TAG, BillingView
from apps.api.v1.billing_fields import ID
from apps.api.v1.billing_inputs import WRITES, one_of
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Amount, Instant, Told
from apps.api.v1.paging import newest_first, page
from apps.api.v1.params import Paged
from apps.api.v1.plan_inputs import CouponOfSerializer, NewCouponSerializer
from apps.api.v1.schema import operation, page_of
from apps.billing.models import AppliedCoupon
from apps.billing.services.coupons import add_coupon, apply_coupon, remove_coupon, retire_coupon

COUPON = {
    "id": ID,
    "code": "WELCOME",
    "percent": "10",
    "amount": None,
    "currency": "USD",
    "periods": 3,
    "retired_at": None,
    "created_at": "2026-03-01T09:00:00Z",
}
HELD = {"coupon": ID, "code": "WELCOME", "periods_left": 3, "created_at": "2026-03-10T12:00:00Z"}


class CouponSerializer(Told):
    """A discount that customers get for some periods: of percent, or of an amount."""

    id = serializers.UUIDField()
    code = serializers.CharField()
    percent = Amount(allow_null=True)
    amount = Amount(allow_null=True)
    currency = serializers.CharField()
    periods = serializers.IntegerField(allow_null=True, help_text="null: for ever.")
    retired_at = Instant(allow_null=True, help_text="It is given to nobody new.")
    created_at = Instant()


class HeldCouponSerializer(Told):
    """A coupon that a customer has."""

    coupon = serializers.UUIDField(source="coupon_id")
    code = serializers.CharField(source="coupon.code")
    periods_left = serializers.IntegerField(allow_null=True, help_text="null: for ever.")
    created_at = Instant(help_text="When it was given.")


HeldCoupons = inline_serializer("HeldCoupons", {"data": HeldCouponSerializer(many=True)})


class CouponList(BillingView):
    @operation(
        "billing:read", "List coupons", name="list_coupons", tag=TAG, params=Paged, answer=page_of(CouponSerializer),
        example={"data": [COUPON], "next": None}, is_operators=True,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The newest first, retired ones too."""
        found, after = newest_first(self.organization.coupons.all(), Paged.of(request))
        return page(CouponSerializer(found, many=True).data, after)

    @operation(
        "billing:write", "Make a coupon", name="add_coupon", tag=TAG, body=NewCouponSerializer,
        answer=CouponSerializer, status=201, example=COUPON, sent={"code": "WELCOME", "percent": "10", "periods": 3},
        errors=(409, 415), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Of `percent` or of `amount`, not both. A code that there is already is refused."""
        fields = read_body(NewCouponSerializer, request)
        coupon = add_coupon(self.organization, by=None, at=timezone.now(), **fields)
        return Response(CouponSerializer(coupon).data, status=201)


class CouponRetire(BillingView):
    @operation(
        "billing:write", "Retire a coupon", name="retire_coupon", tag=TAG, answer=CouponSerializer,
        example=COUPON | {"retired_at": "2026-03-11T12:00:00Z"}, errors=(404,), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, coupon_id: UUID) -> Response:
        """It is given to nobody new; who has it keeps it. One that is retired stays so."""
        coupon = get_object_or_404(self.organization.coupons, pk=coupon_id)
        return Response(CouponSerializer(retire_coupon(coupon, by=None, at=timezone.now())).data)


class CustomerCoupons(BillingView):
    @operation(
        "billing:read", "List a customer's coupons", name="list_customer_coupons", tag=TAG, answer=HeldCoupons,
        example={"data": [HELD]}, errors=(404,), is_operators=True,
    )  # fmt: skip
    def get(self, request: Request, customer_id: UUID) -> Response:
        """Those that take something off its next invoice, in the order in which it got them."""
        held = self.customer_or_404(customer_id).coupons.filter(removed_at=None).exclude(periods_left=0)
        found = held.select_related("coupon").order_by("created_at", "pk")
        return Response({"data": HeldCouponSerializer(found, many=True).data})

    @operation(
        "billing:write", "Give a customer a coupon", name="apply_coupon", tag=TAG, body=CouponOfSerializer,
        answer=HeldCouponSerializer, status=201, example=HELD, sent={"coupon": ID}, errors=WRITES, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, customer_id: UUID) -> Response:
        """From its next invoice on. A conflict where it has it, or the coupon is retired."""
        customer = self.customer_or_404(customer_id)
        coupon = one_of(self.organization.coupons.all(), read_body(CouponOfSerializer, request)["coupon"], "coupon")
        applied = apply_coupon(customer, coupon, by=None, at=timezone.now())
        return Response(HeldCouponSerializer(applied).data, status=201)


class CustomerCoupon(BillingView):
    @operation(
        "billing:write", "Take a coupon from a customer", name="remove_coupon", tag=TAG, status=204, errors=(404,),
        is_operators=True,
    )  # fmt: skip
    def delete(self, request: Request, customer_id: UUID, coupon_id: UUID) -> Response:
        """Invoices that are final keep it."""
        rows = AppliedCoupon.objects.select_related("coupon", "customer__organization")
        held = rows.filter(customer=self.customer_or_404(customer_id), removed_at=None)
        remove_coupon(get_object_or_404(held, coupon=coupon_id), by=None, at=timezone.now())
        return Response(status=204)
