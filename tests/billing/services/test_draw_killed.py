"""A worker that dies while a wallet pays for usage leaves nothing half done: the next one does all of it."""

import os
import subprocess
import sys
from decimal import Decimal

import pytest

from apps.billing.models import DrawnDay, LedgerTransaction, LotUse
from apps.billing.services.drawing import draw_usage
from tests.billing.wallets import A_DAY, DAY, NOON, a_lot, a_wallet, assert_adds_up, usage
from tests.cast import reread
from tests.usage.conftest import database_url

pytestmark = pytest.mark.django_db(transaction=True)

DRAW = """
import django; django.setup()
from datetime import datetime
from uuid import UUID
from apps.billing.services.drawing import draw_usage
draw_usage(UUID("{wallet}"), at=datetime.fromisoformat("{at}"))
"""


@pytest.mark.parametrize("place", ["wallet_day_drawn:kill:2", "wallet_drawn:kill:1"])
def test_a_draw_that_is_killed_is_done_by_the_next(place: str):
    wallet, at = a_wallet(), NOON + 2 * A_DAY
    lot = a_lot(wallet, "10")
    for number, price in enumerate(["1.25", "2.5", "4"]):
        usage(wallet, price, day=DAY + number * A_DAY)
    environment = os.environ | {"DATABASE_URL": database_url(), "TOLLGATE_FAIL": place}
    code = DRAW.format(wallet=wallet.pk, at=at.isoformat())
    killed = subprocess.run([sys.executable, "-c", code], env=environment, timeout=240, check=False)
    assert killed.returncode == -9
    assert (reread(wallet).drawn, reread(wallet).balance, reread(lot).remaining) == (0, 10, 10)
    assert not DrawnDay.objects.exists()
    assert not LotUse.objects.exists()
    assert not LedgerTransaction.objects.filter(kind=LedgerTransaction.Kind.USAGE).exists()
    assert draw_usage(wallet.pk, at=at) == Decimal("7.75")
    assert draw_usage(wallet.pk, at=at) == 0
    assert (reread(wallet).balance, reread(lot).remaining) == (Decimal("2.25"), Decimal("2.25"))
    assert_adds_up(wallet)
