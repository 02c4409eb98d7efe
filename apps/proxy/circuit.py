"""Which provider keys calls are better not sent with for a while: those that have just failed, again and again.

A key's circuit is closed (calls go), open (none goes until a time), or half open (one call tries). Asked only where
there is another key to go to. Of this process alone: what one process finds out, the others find out in a few calls.
Pure: the clock is an argument.
"""

from dataclasses import dataclass

FAILURES = 5  # in a row that open it
OPEN_S = 30.0
MOST_WAIT_S = 300.0  # that a provider can ask for
LIMITED = 429
REFUSED = frozenset((401, 403))  # of the key: by these it opens at once


@dataclass(slots=True)
class _Key:
    failures: int = 0  # in a row
    opens_again_at: float = 0.0  # until then no call is sent with it
    is_tried: bool = False  # one call is under way that finds out


class Circuits:
    """Of all provider keys, by their id. A key that nothing is known of is closed."""

    def __init__(self) -> None:
        self._keys: dict[bytes, _Key] = {}

    def __repr__(self) -> str:
        return f"<Circuits: {len(self._keys)} keys that failed lately>"

    def lets_through(self, key_id: bytes, now: float) -> bool:
        """Whether a call may be sent with the key. Once its time is up, one call may, until it is known how it went."""
        key = self._keys.get(key_id)
        if key is None or not key.opens_again_at:
            return True
        if now < key.opens_again_at or key.is_tried:
            return False
        key.is_tried = True
        return True

    def succeeded(self, key_id: bytes) -> None:
        """The key is good."""
        self._keys.pop(key_id, None)

    def failed(self, key_id: bytes, now: float, *, status: int = 0, wait_s: float | None = None) -> None:
        """A call with it failed. status: the provider's; 0: it could not be reached. wait_s: its Retry-After."""
        key = self._keys.setdefault(key_id, _Key())
        key.failures += 1
        was_tried, key.is_tried = key.is_tried, False
        if status == LIMITED:  # the key is good, and used up for a while
            key.opens_again_at = now + min(wait_s, MOST_WAIT_S) if wait_s else key.opens_again_at
        elif status in REFUSED or was_tried or key.failures >= FAILURES:
            key.opens_again_at = now + OPEN_S
