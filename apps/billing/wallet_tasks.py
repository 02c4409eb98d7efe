"""What workers do for billing, by beat. Late, twice, at once or killed: each is harmless, see what they call."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from apps.billing.queries.spend import BEGINNING, wallets_behind, wallets_off
from apps.billing.services.drawing import draw_usage
from apps.billing.services.lots import EXPIRY_IS_BOOKED_AFTER, expire_lot, expired_lots

LATELY = timedelta(days=3)  # what is older comes late, and is looked for every hour


@shared_task(name="billing.draw", ignore_result=True)
def draw() -> None:
    """Every minute: wallets pay for what was used lately."""
    now = timezone.now()
    for wallet_id in wallets_behind(since=now - LATELY):
        draw_usage(wallet_id, at=now, since=now - LATELY)


@shared_task(name="billing.draw_all", ignore_result=True)
def draw_all() -> None:
    """Every hour: and for what came late, or has another price now."""
    for wallet_id in {*wallets_behind(since=BEGINNING), *wallets_off()}:
        draw_usage(wallet_id, at=timezone.now())


@shared_task(name="billing.expire_credit", ignore_result=True)
def expire_credit() -> None:
    """Every minute: a transaction a lot, after its wallet has paid for what was used before."""
    now = timezone.now()
    for wallet_id, lot_id in expired_lots(at=now - EXPIRY_IS_BOOKED_AFTER):
        draw_usage(wallet_id, at=now, since=now - LATELY)
        expire_lot(lot_id, at=now)
