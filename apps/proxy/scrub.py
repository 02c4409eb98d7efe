"""Taking the operator's key out of what a provider says of it."""

import re

SHOWN = 4  # characters at either end that providers leave standing: "sk-ab****wxyz"
MOST_SHOWN = 12  # a word that begins with as many of the key's characters tells of nothing else
REDACTED = b"[redacted]"

# Words as keys are made of, with what masks are made of: asterisks, dots, bullets, an ellipsis.
_WORD = re.compile(rb"[A-Za-z0-9_\-*.#\xe2\x80\xa6\xa2]{8,}")
_MASK = re.compile(rb"[*.#]{2,}|\xe2\x80[\xa6\xa2]|[xX]{4,}")
_AROUND = b"*.#\xe2\x80\xa6\xa2"


def scrub(body: bytes, secret: bytes) -> bytes:
    """`body` without the secret: whole, masked with its ends left standing, or cut off. Linear in time."""
    if not secret:
        return body
    body = body.replace(secret, REDACTED)
    if len(secret) < 2 * SHOWN:
        return body
    return _WORD.sub(lambda word: REDACTED if _tells(word[0], secret) else word[0], body)


def _tells(word: bytes, secret: bytes) -> bool:
    if word.startswith(secret[:MOST_SHOWN]):
        return True
    if _MASK.search(word) is None:
        return False
    bare = word.strip(_AROUND)
    return bare.startswith(secret[:SHOWN]) or bare.endswith(secret[-SHOWN:])
