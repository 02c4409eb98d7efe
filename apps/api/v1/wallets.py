"""Wallets, changed: credit given, taken, paid for and redeemed; vouchers; credit that buys itself."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.throttling import PerToken, Redeeming
from apps.api.v1 import billing_fields as told
from apps.api.v1 import billing_inputs as asked
from apps.api.v1.billing import TAG, BillingView, CustomerWallet, wallet_of
from apps.api.v1.billing_inputs import WRITES
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Amount, Flag, Instant, Told
from apps.api.v1.once import PARAMETER, once
from apps.api.v1.paging import newest_first, page
from apps.api.v1.params import Paged
from apps.api.v1.schema import operation, page_of
from apps.billing.models import AutoTopUp, Wallet
from apps.billing.services.lots import adjust_credit, grant_credit
from apps.billing.services.top_up_rules import set_auto_top_up
from apps.billing.services.top_ups import top_up_by_hand
from apps.billing.services.vouchers import redeem_voucher
from apps.billing.services.wallets import open_wallet, update_wallet

RULE = {
    "is_on": True,
    "threshold": "10",
    "amount": "50",
    "monthly_limit": "500",
    "backs_off_until": None,
    "last_error": "",
}
OF_CUSTOMERS = {"low_balance"}  # what a customer changes of its wallet


class AutoTopUpSerializer(Told):
    """When credit is bought by itself, in USD."""

    is_on = Flag()
    threshold = Amount(help_text="When the balance is at it or below.")
    amount = Amount(help_text="So much is bought.")
    monthly_limit = Amount(allow_null=True)
    backs_off_until = Instant(allow_null=True, help_text="It was declined: it is not tried before.")
    last_error = serializers.CharField(help_text="Why it was declined the last time.")


class WalletList(BillingView):
    @operation(
        "billing:read", "List wallets", name="list_wallets", tag=TAG, params=Paged,
        answer=page_of(told.WalletSerializer), example={"data": [told.WALLET], "next": None},
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The newest first. A customer's token gets its own."""
        wallets = Wallet.objects.filter(customer__in=self.customers()).select_related("account")
        found, after = newest_first(wallets, Paged.of(request))
        context = {"is_operators": self.is_operators}
        return page(told.WalletSerializer(found, many=True, context=context).data, after)


class WalletDetail(CustomerWallet):
    @operation(
        "billing:write", "Open a wallet", name="open_wallet", tag=TAG, body=asked.OpenWalletSerializer,
        answer=told.WalletSerializer, example=told.WALLET, sent={"settlement": "prepaid"}, errors=WRITES,
        is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, customer_id: UUID) -> Response:
        """Usage is paid from credit from today on. A wallet that is there stays as it is."""
        customer = self.customer_or_404(customer_id)
        fields = read_body(asked.OpenWalletSerializer, request)
        open_wallet(customer, by=None, at=timezone.now(), **fields)
        return self.shown(wallet_of(self, customer_id))

    @operation(
        "billing:write", "Change a wallet", name="update_wallet", tag=TAG, body=asked.WalletChangesSerializer,
        answer=told.WalletSerializer, example=told.WALLET, sent={"low_balance": "10"}, errors=WRITES,
    )  # fmt: skip
    def patch(self, request: Request, customer_id: UUID) -> Response:
        """It holds for the next call on every proxy. A customer's token sets `low_balance` alone."""
        wallet = wallet_of(self, customer_id)
        changes = read_body(asked.WalletChangesSerializer, request)
        if not self.is_operators and changes.keys() - OF_CUSTOMERS:
            raise PermissionDenied("How usage is paid is set by the operator.")
        return self.shown(update_wallet(wallet, by=None, at=timezone.now(), **changes))

    def shown(self, wallet: Wallet) -> Response:
        """As it is now."""
        return Response(told.WalletSerializer(wallet, context={"is_operators": self.is_operators}).data)


class CreditGrant(BillingView):
    @operation(
        "billing:write", "Give credit", name="grant_credit", tag=TAG, body=asked.GrantSerializer,
        answer=told.CreditLotSerializer, status=201, example=told.GIVEN, errors=WRITES, headers=[PARAMETER],
        sent={"amount": "20", "note": "Welcome", "expires_at": "2030-01-01T00:00:00Z"}, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, customer_id: UUID) -> Response:
        """Promotional credit: it is used before what was paid for. Once for each `Idempotency-Key`."""
        wallet, fields = wallet_of(self, customer_id), read_body(asked.GrantSerializer, request)

        def grant(key: str) -> Response:
            lot, _is_new = grant_credit(wallet, key=key, by=None, at=timezone.now(), **fields)
            return Response(told.CreditLotSerializer(lot).data, status=201)

        return once(self, request, grant)


class CreditTake(BillingView):
    @operation(
        "billing:write", "Take credit away", name="take_credit", tag=TAG, body=asked.TakeSerializer,
        answer=told.WalletSerializer, example=told.WALLET, sent={"amount": "5", "reason": "Given by mistake"},
        errors=WRITES, headers=[PARAMETER], is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, customer_id: UUID) -> Response:
        """Unused credit, that which is used last in front. A conflict where there is less."""
        wallet, fields = wallet_of(self, customer_id), read_body(asked.TakeSerializer, request)

        def take(key: str) -> Response:
            adjust_credit(wallet, key=key, by=None, at=timezone.now(), **fields)
            wallet.account.refresh_from_db()
            return Response(told.WalletSerializer(wallet, context={"is_operators": True}).data)

        return once(self, request, take)


class CreditTopUp(BillingView):
    @operation(
        "billing:write", "Credit a payment", name="top_up_by_hand", tag=TAG, body=asked.TopUpSerializer,
        answer=told.CreditLotSerializer, status=201, example=told.LOT, errors=WRITES,
        sent={"amount": "50", "reference": "Transfer of 3 March"}, is_operators=True,
    )  # fmt: skip
    def post(self, request: Request, customer_id: UUID) -> Response:
        """Money that came in by other ways than a payment provider, once for each `reference`.

        The same again credits nothing more; with another amount or customer it is a conflict. A customer without a
        wallet gets one.
        """
        customer, fields = self.customer_or_404(customer_id), read_body(asked.TopUpSerializer, request)
        lot, _is_new = top_up_by_hand(customer, by=None, at=timezone.now(), **fields)
        return Response(told.CreditLotSerializer(lot).data, status=201)


class VoucherRedeem(BillingView):
    throttle_classes = (PerToken, Redeeming)

    @operation(
        "billing:write", "Redeem a voucher", name="redeem_voucher", tag=TAG, body=asked.RedeemSerializer,
        answer=told.CreditLotSerializer, status=201, example=told.GIVEN | {"source": "voucher"}, errors=WRITES,
        sent={"code": "7K2MQ-X04TR-9ZJ5B-HD3WE"},
    )  # fmt: skip
    def post(self, request: Request, customer_id: UUID) -> Response:
        """The credit that a code is worth; the same code again gives the same. Sixty tries an hour.

        A customer without a wallet gets one.
        """
        customer = self.customer_or_404(customer_id)
        code = read_body(asked.RedeemSerializer, request)["code"]
        lot, _is_new = redeem_voucher(customer, code, by=None, at=timezone.now())
        return Response(told.CreditLotSerializer(lot).data, status=201)


class WalletAutoTopUp(BillingView):
    @operation(
        "billing:read", "Get the automatic top-up", name="get_auto_top_up", tag=TAG, answer=AutoTopUpSerializer,
        example=RULE, errors=(404,),
    )  # fmt: skip
    def get(self, request: Request, customer_id: UUID) -> Response:
        """Not found where it was never set."""
        rule = get_object_or_404(AutoTopUp, wallet=wallet_of(self, customer_id))
        return Response(AutoTopUpSerializer(rule).data)

    @operation(
        "billing:write", "Set the automatic top-up", name="set_auto_top_up", tag=TAG,
        body=asked.AutoTopUpChangesSerializer, answer=AutoTopUpSerializer, example=RULE, errors=WRITES,
        sent={"threshold": "10", "amount": "50", "monthly_limit": "500"},
    )  # fmt: skip
    def put(self, request: Request, customer_id: UUID) -> Response:
        """Credit is bought with the default payment method. What was declined before is tried again at once."""
        wallet = wallet_of(self, customer_id)
        fields: dict[str, Any] = read_body(asked.AutoTopUpChangesSerializer, request)
        rule = set_auto_top_up(wallet, by=None, at=timezone.now(), **fields)
        return Response(AutoTopUpSerializer(rule).data)
