"""Windows that one process keeps for itself while Redis is away. Knows no Django."""

from collections.abc import Iterable
from decimal import Decimal

from apps.limits.commands import Entry
from apps.limits.terms import LimitReached


class WindowsAlone:
    """Requests and tokens in a window, counted as the scripts do, but for what this process lets in."""

    def __init__(self) -> None:
        self._windows: dict[str, dict[int, int]] = {}  # sums by bucket

    def admit(self, entries: Iterable[Entry], tokens: int, now_s: float) -> None:
        """Count a call. Raises LimitReached, nothing counted."""
        windows = []
        for entry in entries:
            if entry.kind in "rt":
                amount = tokens if entry.kind == "t" else 1
                bucket = int(now_s * 1000 * entry.buckets / entry.span_ms)
                window = self._window(entry, bucket)
                if entry.limit == 0 or sum(window.values()) + amount > entry.limit:
                    raise _reached(entry, window, amount, now_s)
                windows.append((window, bucket, amount))
        for window, bucket, amount in windows:
            window[bucket] = window.get(bucket, 0) + amount

    def forget(self) -> None:
        """Redis counts again."""
        self._windows.clear()

    def _window(self, entry: Entry, bucket: int) -> dict[int, int]:
        window = self._windows.setdefault(entry.key, {})
        for gone in [each for each in window if each < bucket - entry.buckets]:
            del window[gone]
        return window


def _reached(entry: Entry, window: dict[int, int], amount: int, now_s: float) -> LimitReached:
    used = sum(window.values())
    wait_ms, surplus = None, used + amount - entry.limit
    for bucket, sum_ in sorted(window.items()):
        surplus -= sum_
        if surplus <= 0 < entry.limit:
            wait_ms = int((bucket + entry.buckets + 1) * entry.span_ms / entry.buckets - now_s * 1000)
            break
    return LimitReached(entry.name, Decimal(used), Decimal(entry.limit), wait_ms, scope=entry.scoped.scope)
