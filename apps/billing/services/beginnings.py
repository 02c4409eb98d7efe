"""What begins with a subscription: a wallet that fits it, the prices of its rate card, the first allowance.

Done with it where it begins today, and else by a task once it has begun; once, however often it is tried.
"""

from datetime import datetime

from django.db import transaction

from apps.accounts.models import User
from apps.billing.models import PlanVersion, Subscription, Wallet
from apps.billing.services.included import grant_allowance
from apps.billing.services.wallets import open_wallet, update_wallet
from apps.customers.services import lock as lock_customer

Settlement = PlanVersion.Settlement


@transaction.atomic
def begin(subscription: Subscription, *, by: User | None, at: datetime) -> bool:
    """Do what begins with it. False: it has not begun yet, or all was done before."""
    lock_customer(subscription.customer)
    found = Subscription.objects.filter(pk=subscription.pk, began_at=None, starts_at__lte=at)
    if not found.update(began_at=at):
        return False
    subscription.began_at = at
    _fit_wallet(subscription, by=by, at=at)
    grant_allowance(subscription, at=at)
    return True


def beginnings_due(*, at: datetime) -> list[Subscription]:
    """Those that have begun by the clock, and by nothing else."""
    found = Subscription.objects.filter(began_at=None, starts_at__lte=at)
    return list(found.select_related("version__plan", "customer__organization").order_by("starts_at"))


def _fit_wallet(subscription: Subscription, *, by: User | None, at: datetime) -> None:
    """Let the wallet pay as the plan has it. It may be set otherwise by hand afterwards."""
    customer, version = subscription.customer, subscription.version
    wallet = Wallet.objects.filter(customer=customer).first()
    settlement = Wallet.Settlement.CREDIT_FIRST
    if version.settlement == Settlement.PREPAID:
        settlement = Wallet.Settlement.PREPAID
    if wallet is not None:
        if wallet.settlement != settlement:
            update_wallet(wallet, by=by, at=at, settlement=settlement)
    elif version.settlement != Settlement.POSTPAID or version.allowance:
        open_wallet(customer, by=by, at=at, settlement=settlement)
