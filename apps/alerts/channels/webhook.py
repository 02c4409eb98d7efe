"""Webhooks that the receiver can check: HMAC-SHA256 over the time and the body (docs/alerts.md has the check)."""

import hashlib
import hmac
import json
import secrets
from datetime import datetime

from apps.alerts.channels.base import Outcome
from apps.alerts.channels.http import post
from apps.alerts.models import Delivery

HEADER = "Tollgate-Signature"


def new_secret() -> str:
    """What the receiver keeps to check signatures with. Shown once."""
    return f"tgwh_{secrets.token_urlsafe(32)}"


def signature(secret: str, body: bytes, at: int) -> str:
    """`t=…,v1=…`. at: Unix time in seconds, of this try."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


def send(delivery: Delivery, *, at: datetime) -> Outcome:
    """POST the payload, signed. Every try of a delivery has the same body and a signature of its own."""
    body = json.dumps(delivery.payload, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        HEADER: signature(delivery.channel.open(), body, int(at.timestamp())),
        "Tollgate-Event-Id": delivery.event_key,
        "Tollgate-Event-Type": delivery.kind,
    }
    return post(delivery.channel.address, body, headers)
