"""What begins with a subscription: a wallet that fits it, the prices of its rate card, the first allowance.

Done with it where it begins today, and else by a task once it has begun; once, however often it is tried. The rate card
needs no task: it is dated. What goes with its end is only that: credit stays until it expires.
"""

from datetime import datetime

from django.db import transaction

from apps.accounts.models import User
from apps.billing.models import PlanVersion, Subscription, Wallet
from apps.billing.queries.subscriptions import live
from apps.billing.services.included import grant_allowance
from apps.billing.services.wallets import open_wallet, update_wallet
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer
from apps.pricing.models import RateCard, RateCardUse
from apps.pricing.rate_cards import use_rate_card

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
    fit_rate_card(subscription.customer, by=by, at=at)
    grant_allowance(subscription, at=at)
    return True


def beginnings_due(*, at: datetime) -> list[Subscription]:
    """Those that have begun by the clock, and by nothing else."""
    found = Subscription.objects.filter(began_at=None, starts_at__lte=at)
    return list(found.select_related("version__plan", "customer__organization").order_by("starts_at"))


@transaction.atomic
def fit_rate_card(customer: Customer, *, by: User | None, at: datetime) -> None:
    """Sell to the customer by the card of the plan that it is on, from now on; on no plan, by none of a plan's.

    The cards of plans to come are put down, too, from the very instants at which these begin and end: calls find them
    by themselves, whatever a worker is doing at midnight. Said again, it changes nothing.
    """
    uses = RateCardUse.objects.filter(customer=customer, by_plan=True)
    wanted = _cards_from(customer, at, had_one=uses.filter(effective_from__lte=at).exists())
    coming = list(uses.filter(effective_from__gt=at).order_by("effective_from").values_list("effective_from", "card"))
    if coming != [(since, card.pk if card else None) for since, card in wanted if since > at]:
        uses.filter(effective_from__gt=at).delete()
    for since, card in wanted:
        use_rate_card(customer.organization, customer, card, effective_from=since, by=by, by_plan=True)


def _cards_from(customer: Customer, at: datetime, *, had_one: bool) -> list[tuple[datetime, RateCard | None]]:
    """By which of its plans' cards it is sold to, from when on; without those that change nothing."""
    subscriptions = list(customer.subscriptions.select_related("version"))
    changes = {each for one in subscriptions for each in (one.starts_at, one.ends_at) if each is not None and each > at}
    cards = customer.organization.rate_cards.filter(customer=None).in_bulk(
        {each.version.rate_card_id for each in subscriptions if each.version.rate_card_id}
    )
    found: list[tuple[datetime, RateCard | None]] = []
    for since in (at, *sorted(changes)):
        on = next((each for each in subscriptions if _is_on(each, since)), None)
        card = cards.get(on.version.rate_card_id) if on and on.version.rate_card_id else None
        is_same = found[-1][1] == card if found else card is None and not had_one
        if not is_same:
            found.append((since, card))
    return found


def _is_on(subscription: Subscription, at: datetime) -> bool:
    return subscription.starts_at <= at and (subscription.ends_at is None or at < subscription.ends_at)


def left_on_cards(*, at: datetime) -> list[Customer]:
    """Customers whose plan has ended, with no other after it, and who are sold to by its card still."""
    uses = RateCardUse.objects.filter(by_plan=True, effective_from__lte=at).order_by("customer_id", "-effective_from")
    latest = uses.distinct("customer_id")
    on_card = [use.customer_id for use in latest if use.card_id is not None and use.customer_id is not None]
    on_plan = Subscription.objects.filter(live(at), customer_id__in=on_card).values("customer_id")
    return list(Customer.objects.filter(pk__in=on_card).exclude(pk__in=on_plan).select_related("organization"))


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
