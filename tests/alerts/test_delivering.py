"""Messages go out until somebody takes them; who sends may die, and be many."""

import json
import socket
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail

from apps.alerts.channels import http
from apps.alerts.channels.slack import text_of
from apps.alerts.delivering import LEASE, MOST_ATTEMPTS, claim_next, deliver, finish, send_claimed, wait_after
from apps.alerts.models import Channel, Delivery
from apps.alerts.outbox import Message, put_out
from apps.alerts.owners import Owner
from apps.alerts.services.channels import add_channel, delete_channel, pause_channel, send_again
from apps.alerts.terms import EventKind
from apps.customers.services import remove_customer_member
from apps.keys.services.rotation import rotate_vault
from tests.alerts.conftest import NOON, a_webhook, an_email
from tests.cast import at_once, reread

MINUTE = timedelta(minutes=1)
MESSAGE = Message("Spend: ada <!channel>", ["Measured: $50.00", "Requests: 12"], {"value": "50"}, "https://t.example/")


def tell(channel: Channel, key: str = "alert.firing:1", kind: EventKind = EventKind.FIRING, at=NOON) -> Delivery:
    put_out([channel], kind, key, MESSAGE, at=at)
    return Delivery.objects.get(channel=channel, event_key=key)


def run(at=NOON) -> int:
    return deliver(within=timedelta(seconds=30), clock=lambda: at)


@pytest.fixture
def webhook(cast, receiver) -> tuple[Channel, str]:
    return a_webhook(Owner(cast.acme), receiver)


def check_of_the_docs():
    """The receiver's check as docs/alerts.md has it."""
    text = Path("docs/alerts.md").read_text()
    names: dict[str, Any] = {}
    exec(text.split("```python")[1].split("```")[0], names)
    return names["is_ours"]


def test_a_webhook_gets_it_signed(webhook, receiver):
    channel, secret = webhook
    delivery = tell(channel)
    assert run() == 1
    ((headers, body),) = receiver.got
    is_ours, header, always = check_of_the_docs(), headers["Tollgate-Signature"], 10**12
    assert is_ours(secret, header, body, always)
    assert not is_ours(secret, header, body)  # noon was long ago
    assert not is_ours(secret, header, body + b" ", always)
    assert not is_ours(secret, header.replace("t=1", "t=2"), body, always)
    assert not is_ours("tgwh_another", header, body, always)
    assert header.startswith(f"t={int(NOON.timestamp())},v1=")
    assert json.loads(body) == {
        "id": "alert.firing:1",
        "type": "alert.firing",
        "created_at": "2026-03-10T12:00:00+00:00",
        "title": "Spend: ada <!channel>",
        "text": ["Measured: $50.00", "Requests: 12"],
        "url": "https://t.example/",
        "data": {"value": "50"},
    }
    assert (headers["Tollgate-Event-Id"], headers["Content-Type"]) == ("alert.firing:1", "application/json")
    sent = reread(delivery)
    assert (sent.state, sent.status, sent.answer, sent.sent_at, sent.attempts) == ("sent", 200, "ok", NOON, 1)


def test_what_was_told_once_is_not_told_again(webhook, receiver):
    channel, _ = webhook
    tell(channel)
    tell(channel)
    assert run() == 1
    assert run(NOON + MINUTE) == 0
    assert len(receiver.got) == 1


def test_a_receiver_that_fails_gets_it_again_later_and_then_no_more(webhook, receiver):
    channel, _ = webhook
    delivery, receiver.status = tell(channel), 500
    at = NOON
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert run(at) == 1
        assert run(at + timedelta(seconds=20)) == 0  # not yet
        assert reread(delivery).attempts == attempt
        at += 1.3 * wait_after(attempt)
    given_up = reread(delivery)
    assert (given_up.state, given_up.status, reread(channel).failures) == ("failed", 500, MOST_ATTEMPTS)
    assert {payload["id"] for payload in receiver.payloads} == {"alert.firing:1"}
    receiver.status = 204
    send_again(given_up, at=at)
    assert run(at) == 1
    assert (reread(delivery).state, reread(channel).failures, reread(channel).held_until) == ("sent", 0, None)


def test_waits_grow_to_hours():
    waits = [wait_after(attempt).total_seconds() for attempt in range(1, MOST_ATTEMPTS)]
    assert waits[:4] == [30, 60, 120, 240]
    assert waits[-1] == 6 * 3600
    assert 24 < sum(waits) / 3600 < 36


def test_a_receiver_that_fails_holds_up_nobody_else(cast, receiver, webhook):
    broken, _ = webhook
    broken.address = "http://127.0.0.1:9/"  # nobody is there
    broken.save()
    fine, _ = a_webhook(Owner(cast.acme), receiver, "fine")
    for number in range(5):
        tell(broken, f"broken {number}")
        tell(fine, f"fine {number}")
    assert run() == 6  # one try at the broken one: the others wait with it
    assert len(receiver.got) == 5
    assert Counter(Delivery.objects.filter(channel=broken).values_list("attempts", flat=True)) == {0: 4, 1: 1}
    assert "ConnectionRefusedError" in Delivery.objects.get(channel=broken, attempts=1).answer


def test_who_dies_while_sending_has_it_sent_by_another_and_writes_nothing_then(webhook, receiver):
    channel, _ = webhook
    delivery = tell(channel)
    dead = claim_next(NOON)
    assert dead is not None
    assert run(NOON + LEASE / 2) == 0  # it may be sending still
    assert run(NOON + LEASE) == 1
    assert reread(delivery).attempts == 2
    late = send_claimed(dead, lambda: NOON + 2 * LEASE)  # it was only slow: the receiver gets it twice, with one id
    assert late.is_sent
    assert not finish(dead, late, at=NOON + 2 * LEASE)
    assert reread(delivery).sent_at == NOON + LEASE
    assert [payload["id"] for payload in receiver.payloads] == ["alert.firing:1"] * 2


@pytest.mark.django_db(transaction=True)
def test_ten_senders_at_once_send_each_once(cast, receiver, settings):
    settings.DELIVERIES_AT_ONCE = 100
    channels = [a_webhook(Owner(cast.acme), receiver, str(number))[0] for number in range(4)]
    for channel in channels:
        for number in range(5):
            tell(channel, f"{channel.name}/{number}")
    for _ in range(20):  # each channel has one message at a time on its way
        at_once(10, run)
        if not Delivery.objects.filter(state="waiting").exists():
            break
    assert Counter(payload["id"] for payload in receiver.payloads) == {
        f"{channel}/{number}": 1 for channel in range(4) for number in range(5)
    }


def test_alerts_come_before_samples(webhook, receiver):
    channel, _ = webhook
    for number in range(3):
        tell(channel, f"request {number}", EventKind.REQUEST)
    tell(channel, at=NOON)
    run()
    assert receiver.payloads[0]["type"] == "alert.firing"


def test_paused_it_waits_and_deleted_it_is_gone(cast, webhook, receiver):
    channel, _ = webhook
    tell(channel)
    pause_channel(channel, True, by=cast.olivia)
    assert run() == 0
    pause_channel(channel, False, by=cast.olivia)
    assert run() == 1
    tell(channel, "another")
    delete_channel(channel, by=cast.olivia)
    assert (run(), len(receiver.got), Delivery.objects.count()) == (0, 1, 0)


def test_redirects_are_not_followed_and_answers_are_cut(webhook, receiver):
    channel, _ = webhook
    receiver.status, receiver.headers = 302, {"Location": "http://169.254.169.254/latest/meta-data/"}
    receiver.answer = b"x" * 5_000_000
    delivery = tell(channel)
    run()
    tried = reread(delivery)
    assert (tried.state, tried.status, tried.answer) == ("waiting", 302, "x" * 1024)
    assert len(receiver.got) == 1


def test_a_receiver_that_drips_is_cut_off(settings, monkeypatch):
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(http, "ALL_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    for _ in range(200):
                        connection.sendall(b"HTTP/1.1 200 OK\r\nX-A: b\r\n"[:1])
                        time.sleep(0.05)
                except OSError:
                    pass

        threading.Thread(target=drip, daemon=True).start()
        outcome = http.post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {})
    assert not outcome.is_sent


def test_an_address_that_moved_inside_since_is_not_reached(webhook, receiver, settings):
    channel, _ = webhook
    settings.WEBHOOK_NETWORKS = []
    delivery = tell(channel)
    run()
    assert "inside our network" in reread(delivery).answer
    assert receiver.got == []


def test_slack_gets_text_that_calls_nobody(cast, receiver):
    channel, _ = add_channel(Owner(cast.acme), kind="slack", name="ops", address=receiver.url, by=None)
    delivery = tell(channel)
    assert text_of(delivery) == "*Spend: ada &lt;!channel&gt;*\nMeasured: $50.00\nRequests: 12\nhttps://t.example/"
    run()
    assert receiver.payloads == [{"text": text_of(delivery)}]


def test_a_mail_says_whose_it_is(cast):
    tell(an_email(Owner(cast.acme), "ops@acme.example"))
    assert run() == 1
    (sent,) = mail.outbox
    assert (sent.to, sent.subject) == (["ops@acme.example"], "[Acme] Spend: ada <!channel>")
    assert "Measured: $50.00\nRequests: 12" in sent.body


def test_who_left_the_customer_is_not_written_to(cast):
    delivery = tell(an_email(Owner(cast.acme, cast.globex), cast.gina.email))
    remove_customer_member(cast.globex.members.get(user=cast.gina), by=None)
    run()
    assert (reread(delivery).state, mail.outbox) == ("failed", [])


def test_channels_move_to_a_new_vault_key(webhook, settings):
    channel, secret = webhook
    settings.VAULT_KEYS = f"new:bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldy0=,{settings.VAULT_KEYS}"
    rotation = rotate_vault()
    assert (rotation.sealed, rotation.failed, rotation.unused) == (1, {}, ["tests"])
    moved = reread(channel)
    assert (moved.kek_id, moved.open()) == ("new", secret)
