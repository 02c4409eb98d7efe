"""Stripe without Stripe: localstripe as a process of its own, and an edge that answers by a script."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import stripe

SECRET_KEY = "sk_test_of_acme_4242"
WEBHOOK_SECRET = "whsec_of_acme_12345678"
GOOD_CARD, DECLINED_LATER = "4242424242424242", "4000000000000341"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


class LocalStripe:
    """A localstripe that listens on `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = stripe.StripeClient(
            SECRET_KEY, base_addresses={"api": url}, http_client=stripe.RequestsClient(timeout=10)
        )

    def a_card(self, customer_id: str, number: str = GOOD_CARD) -> str:
        """What a payer would have left on Stripe's page."""
        card = {"number": number, "exp_month": 12, "exp_year": 2030, "cvc": "123"}
        method = self.client.v1.payment_methods.create({"type": "card", "card": card})  # type: ignore[typeddict-item]
        self.client.v1.payment_methods.attach(method.id, {"customer": customer_id})
        return method.id

    def events(self) -> list[dict[str, Any]]:
        """All that happened, in order."""
        told = self.client.v1.events.list({"limit": 100})
        return [event.to_dict() for event in told.data]

    def deliver_to(self, url: str, secret: str = WEBHOOK_SECRET) -> None:
        """Send what happens from now on to `url`, signed, a second later."""
        answer = requests.post(f"{self.url}/_config/webhooks/ours", json={"url": url, "secret": secret}, timeout=10)
        answer.raise_for_status()

    def forget(self) -> None:
        requests.delete(f"{self.url}/_config/data", timeout=10).raise_for_status()


@contextlib.contextmanager
def running_localstripe(folder: Path) -> Iterator[LocalStripe]:
    port = free_port()
    command = [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"]
    with (folder / "localstripe.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for(port, process)
            yield LocalStripe(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "localstripe ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError("localstripe does not listen")
