"""Credit that buys itself, once a wallet runs low: by the customer's default payment method."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet, Sum

from apps.billing.errors import NotConfigured, PaymentDeclined
from apps.billing.models import AutoTopUp, Payment, PaymentMethod, Wallet
from apps.billing.models.parties import USD
from apps.billing.payments.base import PaymentProvider, ProviderError
from apps.billing.payments.registry import provider_of
from apps.billing.services.collecting import charge_method, default_method
from apps.billing.services.low_balance import is_backing_off
from apps.billing.services.payments import BACK_OFF, add_top_up
from apps.billing.services.quotes import quote_top_up
from apps.billing.topping_up import TopUpRule, top_up_amount
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer
from apps.kit.failpoints import reach

State = Payment.State
ON_ITS_WAY = timedelta(days=3)  # what nobody knows the end of by then does not keep a wallet empty for ever


def top_up_by_itself(wallet_id: UUID, *, at: datetime) -> Payment | None:
    """Buy credit if the wallet's rule says so. None: there is nothing to do, or it cannot be done now.

    The payment is a row before the customer's lock is let go, and counts as if it were paid: of ten at once, one
    buys. A card that is declined is not tried again for an hour.
    """
    customer = Customer.objects.select_related("organization").get(wallet=wallet_id)
    provider, method = provider_of(customer.organization), default_method(customer)
    begun = _begin(customer, wallet_id, provider, method, at)
    if begun is None or method is None:
        return None
    reach("top_up_begun")
    try:
        return charge_method(begun, provider, method, at=at)
    except PaymentDeclined:
        return Payment.objects.get(pk=begun.pk)  # which says why, and so does the rule
    except ProviderError:
        return begun  # pending: `billing.ask_about_payments` goes on with it


def due_wallet_ids(*, at: datetime) -> list[UUID]:
    """Wallets that are below the threshold of their rule: those that could not be topped up when they got there."""
    rules = AutoTopUp.objects.filter(is_on=True).exclude(backs_off_until__gt=at).select_related("wallet__account")
    return [rule.wallet_id for rule in rules if rule.wallet.balance <= rule.threshold]


@transaction.atomic
def _begin(
    customer: Customer, wallet_id: UUID, provider: PaymentProvider, method: PaymentMethod | None, at: datetime
) -> Payment | None:
    customer = lock_customer(customer)
    wallet = Wallet.objects.select_related("account").get(pk=wallet_id)
    rule = AutoTopUp.objects.filter(wallet=wallet, is_on=True).first()
    if rule is None or is_backing_off(rule, at=at):
        return None
    amount = _amount(customer, wallet, rule, at)
    if amount <= 0:
        return None
    if method is None or not provider.has_methods:
        _put_off(rule, "There is no payment method to charge.", at)
        return None
    try:
        quote = quote_top_up(customer, amount, at=at)
    except NotConfigured as error:
        _put_off(rule, str(error), at)
        return None
    payment = add_top_up(customer, quote, provider=provider.name, by=None, at=at)
    payment.is_automatic = True
    payment.details = payment.details | {"method": str(method.pk)}
    payment.save(update_fields=["is_automatic", "details"])
    AutoTopUp.objects.filter(pk=rule.pk).update(last_error="", backs_off_until=None)
    return payment


def _amount(customer: Customer, wallet: Wallet, rule: AutoTopUp, at: datetime) -> Decimal:
    """How much to buy: what is on its way counts as if it were there, as long as it is asked about."""
    top_ups = Payment.objects.filter(customer=customer, credit__gt=0)
    pending = top_ups.filter(state=State.PENDING, is_automatic=True, created_at__gte=at - ON_ITS_WAY)
    local = at.astimezone(ZoneInfo(customer.organization.time_zone))
    month = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    bought = top_ups.filter(is_automatic=True, created_at__gte=month).exclude(state=State.FAILED)
    size = TopUpRule(threshold=rule.threshold, size=rule.amount, monthly=rule.monthly_limit)
    return top_up_amount(
        size,
        wallet.balance,
        pending=_credit_in(pending),
        this_month=_credit_in(bought),
        currency=USD,
    )


def _credit_in(payments: QuerySet[Payment]) -> Decimal:
    total: Decimal | None = payments.aggregate(total=Sum("credit"))["total"]
    return total or Decimal(0)


def _put_off(rule: AutoTopUp, why: str, at: datetime) -> None:
    AutoTopUp.objects.filter(pk=rule.pk).update(last_error=why[:200], backs_off_until=at + BACK_OFF)
