"""What proxies tell of provider keys that fail, for others to see: a hash a key in Redis, a field a process.

Told by apps.proxy.circuit_board, read by circuit_states.py. Knows no Django: the hot path imports it.
"""

import msgspec

KEPT_S = 600  # what is not told again is not believed for longer


class ToldCircuit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of one process. Instants in Unix time."""

    failures: int  # one after the other, up to now
    opened_at: float  # since when no calls go through; 0.0: they do
    tries_at: float  # when the next call may try


def hash_of(provider_key_id: bytes) -> str:
    """Where it is told."""
    return f"tollgate:circuit:{provider_key_id.hex()}"


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(ToldCircuit).decode
