"""What the desk does with wallets: see desk.py."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


def open_wallet(*, customer: str, settlement: str = "prepaid") -> str:
    """Have the customer pay from credit."""
    from apps.billing.models import Wallet
    from apps.billing.services import wallets
    from apps.customers.models import Customer

    owner = Customer.objects.get(pk=UUID(customer))
    wallet = wallets.open_wallet(owner, settlement=Wallet.Settlement(settlement), by=None, at=datetime.now(UTC))
    return str(wallet.pk)


def give_credit(*, wallet: str, amount: str, key: str) -> None:
    """Credit for the wallet, once for each key."""
    from apps.billing.models import Wallet
    from apps.billing.services.lots import grant_credit

    held = Wallet.objects.get(pk=UUID(wallet))
    grant_credit(held, Decimal(amount), key=key, by=None, at=datetime.now(UTC))


def draw(*, wallet: str) -> dict[str, Any]:
    """Have the wallet pay for what is rolled up. Gives what it has then."""
    from apps.billing.models import Wallet
    from apps.billing.services.drawing import draw_usage

    draw_usage(UUID(wallet), at=datetime.now(UTC))
    found = Wallet.objects.get(pk=UUID(wallet))
    return {"balance": str(found.balance), "drawn": str(found.drawn), "ceiling": str(found.ceiling)}


ACTIONS = {action.__name__: action for action in (open_wallet, give_credit, draw)}
