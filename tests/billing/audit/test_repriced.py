"""Requests, roll-ups, ledger and invoices after prices that were wrong: one chain, and nothing in it is edited."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from apps.billing.audit.deep import deep_audit
from apps.billing.models import CreditNote
from apps.pricing.rating import Tokens
from apps.pricing.services import set_price
from apps.usage.reprice import reprice
from apps.usage.rollup import roll_up
from tests.billing.made import AFTER, DECEMBER, invoices, lines, run
from tests.usage.conftest import a_call, write_spool
from tests.usage.conftest import root as root  # the fixture
from tests.usage.conftest import ship as ship  # likewise

IN_OCTOBER = datetime(2026, 10, 7, 12, tzinfo=UTC)
MONTH = {"since": datetime(2026, 10, 1, tzinfo=UTC), "until": datetime(2026, 11, 1, tzinfo=UTC)}


def its_price(organization, usd: str, year: int) -> None:
    """USD a million tokens, from that year on."""
    since = datetime(year, 1, 1, tzinfo=UTC)
    set_price(organization, provider="openai", model="new", rates={"input": usd}, effective_from=since, by=None)


@pytest.fixture
def invoiced(cast, root, ship):
    """October's invoice is final: a million tokens at 10 USD, and a fifth on top."""
    its_price(cast.acme, "10", 2020)
    unpriced = {"cost": None, "price": None, "model_served": "new", "tokens": Tokens(input=1_000_000)}
    write_spool(root, a_call(cast.globex, outcome=unpriced, model="new", at=IN_OCTOBER))
    ship()
    roll_up()
    assert reprice(**MONTH).requests == 1
    run(cast.globex, at=AFTER, finalizes=True)
    [october] = invoices(cast.globex)
    assert october.total == 12
    return cast.globex


def test_what_was_too_dear_is_credited(cast, invoiced):
    its_price(cast.acme, "8", 2021)
    assert reprice(**MONTH, is_again=True).price == Decimal("-2.4")
    run(invoiced, at=DECEMBER, finalizes=True)
    assert CreditNote.objects.get().total == Decimal("2.4")
    found = deep_audit(cast.acme.pk)
    assert (found.findings, found.not_invoiced) == ([], [])


def test_what_was_too_cheap_is_on_the_next_invoice(cast, invoiced):
    its_price(cast.acme, "11", 2021)
    assert reprice(**MONTH, is_again=True).price == Decimal("1.2")
    assert len(deep_audit(cast.acme.pk).not_invoiced) == 1
    run(invoiced, at=DECEMBER, finalizes=True)
    october, november = invoices(invoiced)
    assert (october.total, lines(november)) == (12, [("late_usage", "new · late, of INV-0001", "1.20")])
    found = deep_audit(cast.acme.pk)
    assert (found.findings, found.not_invoiced) == ([], [])
