"""Money that a plan includes: credit in the wallet at the start of each period, given once however often it is tried.

Tokens and requests that a plan includes are no credit: they are taken off the invoice (apps.billing.allowances).
"""

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from django.db import transaction

from apps.billing.invoicing.due import cycle_of
from apps.billing.invoicing.plans import served_of
from apps.billing.models import CreditLot, Subscription, Wallet
from apps.billing.money import ZERO, precise
from apps.billing.parties import per_dollar
from apps.billing.periods import Period
from apps.billing.queries.subscriptions import live_subscriptions, period_of
from apps.billing.services.lots import grant_credit, take_credit


def grant_allowance(subscription: Subscription, *, at: datetime) -> CreditLot | None:
    """Give what the plan includes of the period that `at` is in: by its days, in dollars. None: nothing is.

    It expires with the period, or where it rolls over with the next one. Raises NotConfigured where the plan's
    currency has no exchange rate.
    """
    period = period_of(subscription, at)
    amount = _worth(subscription, period)
    wallet = Wallet.objects.filter(customer=subscription.customer_id).first()
    if not amount or wallet is None or subscription.starts_at > at:
        return None
    lot, _is_new = grant_credit(
        wallet,
        amount,
        key=allowance_key(subscription, period),
        at=at,
        by=None,
        source=CreditLot.Source.ALLOWANCE,
        effective_at=max(period.since_at, subscription.starts_at),
        expires_at=_expires_at(subscription, period),
        note=f"{subscription.version.plan}",
    )
    return lot


def allowances_due(*, at: datetime) -> list[Subscription]:
    """The live subscriptions that include money which was not given for this period yet."""
    including = list(live_subscriptions(at).filter(version__allowance__gt=0, customer__wallet__isnull=False))
    keys = {subscription.pk: allowance_key(subscription, period_of(subscription, at)) for subscription in including}
    given = set(CreditLot.objects.filter(key__in=keys.values()).values_list("key", flat=True))
    return [subscription for subscription in including if keys[subscription.pk] not in given]


@transaction.atomic
def trim_allowance(subscription: Subscription, until: date, *, at: datetime) -> Decimal:
    """Take back what was given for days that the subscription does not have, as far as it is unused.

    until: the first day without it. Returns how much.
    """
    period = period_of(subscription, at)
    lot = CreditLot.objects.filter(
        wallet__customer=subscription.customer_id, key=allowance_key(subscription, period)
    ).first()
    if lot is None:
        return ZERO
    served = served_of(subscription)
    given = period.share(period.overlap(served.first, None))
    due = Fraction(lot.amount) * period.share(period.overlap(served.first, until)) / given
    back = min(lot.remaining, precise(Fraction(lot.amount) - due))
    if back <= 0:
        return ZERO
    take_credit(lot.wallet, back, key=f"{lot.key}:{until}", at=at, lots=[lot], told={"reason": "the plan ended"})
    return back


def _worth(subscription: Subscription, period: Period) -> Decimal:
    """In dollars, to 12 places."""
    version, served = subscription.version, served_of(subscription)
    if not version.allowance:
        return ZERO
    share = period.share(served.part_of(period))
    rate = per_dollar(subscription.customer.organization, version.currency, period.first)
    return precise(Fraction(version.allowance) * share / Fraction(rate))


def _expires_at(subscription: Subscription, period: Period) -> datetime:
    if not subscription.version.allowance_rolls_over:
        return period.until_at
    cycle = cycle_of(subscription)
    return cycle.period(cycle.index_on(period.until)).until_at


def allowance_key(subscription: Subscription, period: Period) -> str:
    """Of the lot that a period's included money is."""
    return f"allowance:{subscription.pk}:{period.first}"
