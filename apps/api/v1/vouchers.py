"""Vouchers: codes that are worth credit. A code is in the answer that makes it, and nowhere else. Operators."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.billing import TAG, BillingView
from apps.api.v1.billing_fields import ID
from apps.api.v1.billing_inputs import NewVouchersSerializer
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Amount, Instant, Told
from apps.api.v1.once import PARAMETER, once
from apps.api.v1.paging import newest_first, page
from apps.api.v1.params import Paged
from apps.api.v1.schema import operation, page_of
from apps.billing.services.vouchers import make_vouchers, revoke_voucher

VOUCHER = {
    "id": ID,
    "hint": "D3WE",
    "amount": "20",
    "most_uses": 1,
    "uses": 0,
    "expires_at": "2030-01-01T00:00:00Z",
    "credit_days": 90,
    "note": "Fair in Hanover",
    "revoked_at": None,
    "created_at": "2026-03-10T12:00:00Z",
}
MADE = VOUCHER | {"code": "7K2MQ-X04TR-9ZJ5B-HD3WE"}


class VoucherSerializer(Told):
    """A voucher, without its code."""

    id = serializers.UUIDField()
    hint = serializers.CharField(help_text="The last characters of its code.")
    amount = Amount(help_text="USD, to each customer that uses it.")
    most_uses = serializers.IntegerField()
    uses = serializers.IntegerField()
    expires_at = Instant(allow_null=True)
    credit_days = serializers.IntegerField(allow_null=True, help_text="How long its credit lasts; null: for ever.")
    note = serializers.CharField()
    revoked_at = Instant(allow_null=True)
    created_at = Instant()


class MadeVoucherSerializer(VoucherSerializer):
    """A voucher with its code, which is shown this once."""

    code = serializers.CharField(allow_null=True, help_text="null: it was shown before.")


MadeVouchers = inline_serializer("MadeVouchers", {"data": MadeVoucherSerializer(many=True)})


class VoucherList(BillingView):
    @operation(
        "billing:read", "List vouchers", name="list_vouchers", tag=TAG, params=Paged,
        answer=page_of(VoucherSerializer), example={"data": [VOUCHER], "next": None}, is_operators=True,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The newest first, those that are used up too."""
        found, after = newest_first(self.organization.vouchers.all(), Paged.of(request))
        return page(VoucherSerializer(found, many=True).data, after)

    @operation(
        "billing:write", "Make vouchers", name="make_vouchers", tag=TAG, body=NewVouchersSerializer,
        answer=MadeVouchers, status=201, example={"data": [MADE]}, sent={"amount": "20", "count": 1},
        errors=(409, 415), headers=[PARAMETER], is_operators=True,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Their codes are in this answer alone. Sent again with its key: the same vouchers, without the codes."""
        fields = read_body(NewVouchersSerializer, request)

        def make(key: str) -> Response:
            made = make_vouchers(self.organization, by=None, at=timezone.now(), **fields)
            shown: list[dict[str, Any]] = [{**VoucherSerializer(voucher).data, "code": code} for voucher, code in made]
            answer = Response({"data": shown}, status=201, headers={"Cache-Control": "no-store"})
            kept = {"data": [each | {"code": None} for each in shown]}
            answer.kept = kept  # type: ignore[attr-defined]
            return answer

        return once(self, request, make)


class VoucherRevoke(BillingView):
    @operation(
        "billing:write", "Revoke a voucher", name="revoke_voucher", tag=TAG, answer=VoucherSerializer,
        example=VOUCHER | {"revoked_at": "2026-03-11T12:00:00Z"}, errors=(404,), is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, voucher_id: UUID) -> Response:
        """Nobody can use it any more; what was given for it stays. One that is revoked stays as it is."""
        voucher = get_object_or_404(self.organization.vouchers, pk=voucher_id)
        return Response(VoucherSerializer(revoke_voucher(voucher, by=None, at=timezone.now())).data)
