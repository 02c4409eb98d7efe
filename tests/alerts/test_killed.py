"""Processes that evaluate and send are killed at the worst places: nothing is told twice over, nothing is lost."""

import os
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from apps.alerts.delivering import LEASE, deliver
from apps.alerts.evaluation import evaluate_next
from apps.alerts.models import AlertEvent, Delivery
from apps.alerts.owners import Owner
from tests.alerts.conftest import NOON, Receiver, a_rule, a_webhook
from tests.usage.conftest import database_url
from tests.used import an_hour

pytestmark = pytest.mark.django_db(transaction=True)

AT = NOON + timedelta(minutes=30)


def die(place: str, code: str) -> None:
    """Run it in a process that is killed at `place`."""
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "TOLLGATE_FAIL": f"{place}:kill:1",
        "TOLLGATE_WEBHOOK_NETWORKS": "127.0.0.0/8",
    }
    code = f"import django; django.setup()\nfrom datetime import datetime, timedelta\n{code}"
    killed = subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, check=False)
    assert killed.returncode == -9


def in_code(at: datetime) -> str:
    return f"datetime.fromisoformat('{at.isoformat()}')"


@pytest.fixture
def fired(cast, receiver: Receiver) -> None:
    """A rule that finds something, with a webhook to tell of it."""
    acme = Owner(cast.acme)
    channel, _ = a_webhook(acme, receiver)
    a_rule(acme, channel, threshold=5)
    an_hour(cast.globex, NOON)


def test_who_dies_before_the_end_of_an_evaluation_has_said_nothing(fired):
    die("alerts_before_commit", f"from apps.alerts.evaluation import evaluate_next; evaluate_next({in_code(AT)})")
    assert (AlertEvent.objects.count(), Delivery.objects.count()) == (0, 0)
    for minutes in (0, 1):
        evaluate_next(AT + timedelta(minutes=minutes))
    assert (AlertEvent.objects.count(), Delivery.objects.count()) == (1, 1)


@pytest.mark.parametrize(("place", "heard"), [("alerts_before_send", 0), ("alerts_after_send", 1)])
def test_what_a_dead_sender_had_is_sent_by_another(fired, receiver, place, heard):
    evaluate_next(AT)
    Delivery.objects.update(next_at=AT)
    now = in_code(AT)
    die(
        place, f"from apps.alerts.delivering import deliver; deliver(within=timedelta(seconds=30), clock=lambda: {now})"
    )
    assert len(receiver.got) == heard
    while_held = deliver(within=timedelta(seconds=30), clock=lambda: AT + LEASE / 2)
    after = deliver(within=timedelta(seconds=30), clock=lambda: AT + LEASE + timedelta(seconds=1))
    assert (while_held, after) == (0, 1)
    assert [payload["id"] for payload in receiver.payloads] == [receiver.payloads[0]["id"]] * (heard + 1)
    assert Delivery.objects.get().state == Delivery.State.SENT
