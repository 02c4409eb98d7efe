"""Taking the operator's key out of what a provider says of it."""

import re

SHOWN = 4  # characters at either end that providers leave standing: "sk-ab****wxyz"
REDACTED = b"[redacted]"


def scrub(body: bytes, secret: bytes) -> bytes:
    """`body` without the secret, whole or masked: whatever word begins or ends as the secret does."""
    if len(secret) < 2 * SHOWN:
        return body.replace(secret, REDACTED) if secret else body
    body = body.replace(secret, REDACTED)
    head, tail = re.escape(secret[:SHOWN]), re.escape(secret[-SHOWN:])
    masked = rb"[A-Za-z0-9_-]*" + head + rb"[A-Za-z0-9_-]*[*.\xe2\x80\xa6]{2,}[A-Za-z0-9_-]*"
    masked += rb"|[A-Za-z0-9_-]*[*.\xe2\x80\xa6]{2,}[A-Za-z0-9_-]*" + tail
    return re.sub(masked, REDACTED, body)
