"""Rules, channels and a receiver, for tests of alerts."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from apps.alerts.models import AlertRule, Channel, Finding
from apps.alerts.owners import Owner
from apps.alerts.services.channels import add_channel
from apps.alerts.services.rules import add_rule
from apps.customers.models import Customer

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@dataclass
class Receiver:
    """A small HTTP server that keeps what it gets, and answers as told."""

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 200
    answer: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    """At 127.0.0.1, which webhooks may reach in this test."""
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.got.append((dict(self.headers), body))
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.answer)))
            self.end_headers()
            self.wfile.write(told.answer)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}/hook?for=us"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield told
    server.shutdown()
    server.server_close()


def a_rule(owner: Owner, *channels: Channel, **fields: Any) -> AlertRule:
    """A rule on the requests of an hour, of ten and more."""
    values = {"name": "Many requests", "metric": "requests", "window_minutes": 60, "threshold": 10} | fields
    return add_rule(owner, by=None, channels=channels, **values)


def a_channel(owner: Owner) -> Channel:
    """A webhook that nobody listens at."""
    return Channel.objects.create(**owner.fields, kind="webhook", name="ours", address="https://example.com/")


def a_webhook(owner: Owner, receiver: Receiver, name: str = "ours") -> tuple[Channel, str]:
    """A channel to the receiver, and its secret."""
    return add_channel(owner, kind="webhook", name=name, address=receiver.url, by=None)


def an_email(owner: Owner, address: str) -> Channel:
    return add_channel(owner, kind="email", name=address, address=address, by=None)[0]


def a_finding(customer: Customer, **fields: Any) -> Finding:
    """A sudden spend of an end user."""
    values = {
        "kind": "spend",
        "subject": "user",
        "subject_id": "ada",
        "subject_label": "ada",
        "figures": {"observed": 50.0, "sentences": ["It spent $50.00."]},
        "first_seen_at": NOON,
        "last_seen_at": NOON,
    } | fields
    return Finding.objects.create(organization=customer.organization, customer=customer, **values)
