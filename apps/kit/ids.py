"""Identifiers that sort by the time they were made (UUID version 7, RFC 9562)."""

import random
import time
from uuid import UUID

_VERSION_AND_VARIANT = 0x7000_8000_0000_0000_0000
_RANDOM_BITS = 0x0FFF_3FFF_FFFF_FFFF_FFFF


def uuid7() -> UUID:
    """A new id: 48 bits of Unix milliseconds, then 74 random bits. Unique, not secret: nothing is protected by it."""
    return UUID(bytes=uuid7_bytes())


def uuid7_bytes() -> bytes:
    """The 16 bytes of a new id, where an object for it would cost more than the id."""
    milliseconds = time.time_ns() // 1_000_000
    tail = random.getrandbits(80) & _RANDOM_BITS | _VERSION_AND_VARIANT
    return (milliseconds << 80 | tail).to_bytes(16, "big")


def as_text(uuid: bytes) -> str:
    """The 16 bytes of an id as they are usually written."""
    digits = uuid.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
