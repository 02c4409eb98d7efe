"""When a wallet has credit bought by itself: what its customer wants. Buying is for the payments."""

from datetime import datetime
from decimal import Decimal

from apps.accounts import audit
from apps.accounts.models import User
from apps.billing.models import AutoTopUp, Wallet
from apps.billing.services.wallets import holding

FIELDS = ("is_on", "threshold", "amount", "monthly_limit")


def set_auto_top_up(
    wallet: Wallet,
    *,
    is_on: bool,
    threshold: Decimal,
    amount: Decimal,
    monthly_limit: Decimal | None,
    by: User | None,
    at: datetime,
) -> AutoTopUp:
    """Buy `amount` USD of credit whenever the balance is at `threshold` or below; of a month, `monthly_limit` at most.

    What was declined before is tried again at once. Raises ValidationError.
    """
    with holding(wallet.pk, at=at) as held:
        rule = AutoTopUp.objects.filter(wallet=held).first()
        before = {} if rule is None else audit.fields_of(rule, FIELDS)
        rule = rule or AutoTopUp(wallet=held)
        rule.is_on, rule.threshold, rule.amount, rule.monthly_limit = is_on, threshold, amount, monthly_limit
        rule.backs_off_until, rule.last_error = None, ""
        rule.full_clean()
        rule.save()
        if changes := audit.difference(before, audit.fields_of(rule, FIELDS)):
            customer = held.customer
            audit.record(customer.organization, "auto_top_up.set", rule, actor=by, changes=changes, customer=customer)
    return rule
