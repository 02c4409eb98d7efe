"""Who is told when little credit is left: once, until it is enough again. And credit that buys itself."""

from datetime import datetime

from django.conf import settings
from django.urls import reverse

from apps.billing.models import AutoTopUp, Wallet
from apps.billing.parties import details_of
from apps.customers.models import Customer, CustomerRole
from apps.kit.after_commit import after_commit
from apps.kit.mail import mail_after_commit


def watch_balance(wallet: Wallet, *, at: datetime) -> None:
    """Warn of a balance that is low now, once the transaction commits; have more bought, where that was set.

    Changes the wallet and doesn't save it.
    """
    is_low = wallet.low_balance is not None and wallet.balance < wallet.low_balance
    if not is_low:
        wallet.low_balance_told_at = None
    elif wallet.low_balance_told_at is None:
        wallet.low_balance_told_at = at
        for address in addresses_of(wallet.customer):
            _warn(wallet, address)
    rule = AutoTopUp.objects.filter(wallet_id=wallet.pk, is_on=True).first()
    if rule is not None and wallet.balance <= rule.threshold and not is_backing_off(rule, at=at):
        after_commit("billing.auto_top_up", str(wallet.pk))


def is_backing_off(rule: AutoTopUp, *, at: datetime) -> bool:
    """Whether a payment was declined a short time ago."""
    return rule.backs_off_until is not None and rule.backs_off_until > at


def addresses_of(customer: Customer) -> list[str]:
    """Where what concerns the customer's money is mailed to: as set, else to its admins."""
    if address := details_of(customer).email or customer.email:
        return [address]
    admins = customer.members.filter(role=CustomerRole.ADMIN).select_related("user").order_by("created_at", "pk")
    return [member.user.email for member in admins]


def _warn(wallet: Wallet, address: str) -> None:
    context = {
        "customer": wallet.customer,
        "organization": wallet.customer.organization,
        "balance": wallet.balance,
        "low_balance": wallet.low_balance,
        "is_prepaid": wallet.is_prepaid,
        "link": f"{settings.PUBLIC_URL}{reverse('portal:wallet')}",
    }
    mail_after_commit("low_balance", to=address, context=context)
