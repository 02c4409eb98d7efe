"""Identifiers that sort by the time they were made (UUID version 7, RFC 9562)."""

import random
import time
from uuid import UUID

_VERSION_AND_VARIANT = 0x7000_8000_0000_0000_0000
_RANDOM_BITS = 0x0FFF_3FFF_FFFF_FFFF_FFFF


def uuid7() -> UUID:
    """A new id: 48 bits of Unix milliseconds, then 74 random bits. Unique, not secret: nothing is protected by it."""
    milliseconds = time.time_ns() // 1_000_000
    tail = random.getrandbits(80) & _RANDOM_BITS | _VERSION_AND_VARIANT
    return UUID(int=milliseconds << 80 | tail)
