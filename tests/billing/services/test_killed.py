"""Processes that die while credit expires, while reminders are made, and with an e-mail in hand."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail

from apps.billing.document_tasks import reinstate_all
from apps.billing.models import LedgerTransaction, Mailing
from apps.billing.services.dunning import run_dunning
from apps.billing.services.lots import expire_lot
from apps.billing.services.mailing import queue_invoice, send_mailing
from apps.billing.services.sellers import update_seller
from apps.billing.services.settling import settle_invoice
from tests.billing.making import an_invoice
from tests.billing.wallets import NOON, a_lot, a_wallet, assert_adds_up
from tests.cast import Cast, reread
from tests.usage.conftest import database_url

pytestmark = pytest.mark.django_db(transaction=True)

OVERDUE = datetime(2026, 12, 6, 12, tzinfo=UTC)


def killed(place: str, code: str) -> None:
    """In a process of its own, until it dies there."""
    environment = os.environ | {"DATABASE_URL": database_url(), "TOLLGATE_FAIL": f"{place}:kill:1"}
    begin = "import django; django.setup()\nfrom datetime import datetime\nfrom uuid import UUID\n"
    done = subprocess.run([sys.executable, "-c", begin + code], env=environment, timeout=240, check=False)
    assert done.returncode == -9


def test_credit_expires_once():
    wallet = a_wallet()
    lot = a_lot(wallet, "10", expires_at=NOON + timedelta(hours=1))
    at = NOON + timedelta(hours=2)
    killed(
        "wallet_expired",
        "from apps.billing.services.lots import expire_lot\n"
        f"expire_lot(UUID('{lot.pk}'), at=datetime.fromisoformat('{at.isoformat()}'))",
    )
    assert reread(lot).remaining == 10
    assert (expire_lot(lot.pk, at=at), expire_lot(lot.pk, at=at)) == (10, 0)
    assert LedgerTransaction.objects.filter(kind=LedgerTransaction.Kind.EXPIRY).count() == 1
    assert_adds_up(wallet)


def test_who_is_suspended_is_suspended_once_and_let_in_once(cast: Cast):
    update_seller(cast.acme, by=None, final_step="suspend", final_step_days=3)
    owed = [an_invoice(each, ("10",)) for each in (cast.globex, cast.initech)]
    killed(
        "dunned",
        "from apps.accounts.models import Organization\n"
        "from apps.billing.services.dunning import run_dunning\n"
        "acme = Organization.objects.get(slug='acme')\n"
        f"run_dunning(acme, at=datetime.fromisoformat('{OVERDUE.isoformat()}'))",
    )
    assert sorted(reread(each).is_suspended for each in (cast.globex, cast.initech)) == [False, True]
    for _ in range(2):
        run_dunning(cast.acme, at=OVERDUE)
    assert all(reread(each).is_suspended for each in (cast.globex, cast.initech))
    assert cast.acme.audit_events.filter(action="customer.suspend").count() == 2
    for invoice in owed:
        settle_invoice(invoice, invoice.total, at=OVERDUE, by=None)
    for _ in range(2):  # whoever was to be told of the payment has died: beat finds them
        reinstate_all()
    assert not any(reread(each).is_suspended for each in (cast.globex, cast.initech))
    assert cast.acme.audit_events.filter(action="customer.resume").count() == 2


def test_each_reminder_is_made_once(cast: Cast):
    cast.globex.email = "globex@example.com"
    cast.globex.save()
    update_seller(cast.acme, by=None, reminder_days=[3])
    an_invoice(cast.globex)
    an_invoice(cast.globex)
    killed(
        "dunned",
        "from apps.accounts.models import Organization\n"
        "from apps.billing.services.dunning import run_dunning\n"
        "acme = Organization.objects.get(slug='acme')\n"
        f"run_dunning(acme, at=datetime.fromisoformat('{OVERDUE.isoformat()}'))",
    )
    assert Mailing.objects.count() == 1
    run_dunning(cast.acme, at=OVERDUE)
    run_dunning(cast.acme, at=OVERDUE)
    assert Mailing.objects.count() == 2


def test_an_email_that_may_have_gone_out_is_not_sent_again_by_itself(cast: Cast):
    cast.globex.email = "globex@example.com"
    cast.globex.save()
    invoice = an_invoice(cast.globex)
    mailing = queue_invoice(invoice, by=None, at=OVERDUE)
    killed(
        "mailing_claimed",
        "from apps.billing.services.mailing import send_mailing\n"
        f"send_mailing(UUID('{mailing.pk}'), at=datetime.fromisoformat('{OVERDUE.isoformat()}'))",
    )
    assert (reread(mailing).begun_at, reread(mailing).sent_at) == (OVERDUE, None)
    assert send_mailing(mailing.pk, at=OVERDUE) is False
    again = queue_invoice(invoice, by=cast.olivia, at=OVERDUE, again=True)
    assert send_mailing(again.pk, at=OVERDUE) is True
    assert len(mail.outbox) == 1
