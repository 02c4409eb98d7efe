"""A worker that dies while wallets pay for usage leaves nothing half done: the next one does all of it."""

from decimal import Decimal

import pytest

from tests.rig.installation import Installation

PLACES = ["wallet_day_drawn:kill:1", "wallet_day_drawn:kill:2", "wallet_drawn:kill:1", "wallet_drawn:kill:2"]
STATE = """
SELECT balance, drawn, overdrawn, (SELECT coalesce(sum(amount), 0) FROM billing_drawnday WHERE wallet_id = wallet.id)
    AS days, (SELECT coalesce(sum(remaining), 0) FROM billing_creditlot WHERE wallet_id = wallet.id) AS lots,
    (SELECT coalesce(sum(amount), 0) FROM billing_ledgerentry WHERE account_id = account.id) AS entries
FROM billing_wallet AS wallet JOIN billing_ledgeraccount AS account ON account.id = account_id WHERE wallet.id = %s
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", PLACES)
def test_a_draw_that_is_killed_is_done_by_the_next(installation: Installation, place: str):
    wallets = []
    for _ in range(2):
        tenant = installation.tenant()
        wallet = installation.desk("open_wallet", customer=tenant.customer)
        installation.desk("give_credit", wallet=wallet, amount="10", key="first")
        installation.desk("use", wallet=wallet, prices=["1.25", "2.5", "4"])
        wallets.append(wallet)
    installation.run("draw_usage", env={"TOLLGATE_FAIL": place}, check=False)
    for wallet in wallets:
        (state,) = installation.rows(STATE, wallet)
        assert state["balance"] == state["lots"] - state["overdrawn"] == state["entries"] == 10 - state["drawn"]
        assert state["drawn"] == state["days"]
        assert state["drawn"] in (0, Decimal("7.75"))  # all of a wallet's, or nothing
    for _ in range(2):
        installation.run("draw_usage")
        for wallet in wallets:
            (state,) = installation.rows(STATE, wallet)
            assert (state["drawn"], state["balance"], state["days"]) == (
                Decimal("7.75"),
                Decimal("2.25"),
                state["drawn"],
            )
