"""Windows that one process keeps for itself while Redis is away. Knows no Django."""

from decimal import Decimal

from apps.limits.commands import BUCKETS, MINUTE_MS
from apps.limits.terms import LimitName, LimitReached, Limits

BUCKET_S = MINUTE_MS / BUCKETS / 1000


class WindowsAlone:
    """Requests and tokens a minute by customer, counted as the scripts do, but for what this process lets in."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, LimitName], dict[int, int]] = {}  # sums by bucket

    def admit(self, customer: str, limits: Limits, tokens: int, now_s: float) -> None:
        """Count a call. Raises LimitReached, nothing counted."""
        bucket = int(now_s / BUCKET_S)
        windows = []
        for name, amount in ((LimitName.REQUESTS, 1), (LimitName.TOKENS, tokens)):
            limit: int | None = getattr(limits, name)
            if limit is not None:
                window = self._window(customer, name, bucket)
                if limit == 0 or sum(window.values()) + amount > limit:
                    raise _reached(name, window, amount, limit, now_s)
                windows.append((window, amount))
        for window, amount in windows:
            window[bucket] = window.get(bucket, 0) + amount

    def forget(self) -> None:
        """Redis counts again."""
        self._windows.clear()

    def _window(self, customer: str, name: LimitName, bucket: int) -> dict[int, int]:
        window = self._windows.setdefault((customer, name), {})
        for gone in [each for each in window if each < bucket - BUCKETS]:
            del window[gone]
        return window


def _reached(name: LimitName, window: dict[int, int], amount: int, limit: int, now_s: float) -> LimitReached:
    used = sum(window.values())
    wait_ms, surplus = None, used + amount - limit
    for bucket, sum_ in sorted(window.items()):
        surplus -= sum_
        if surplus <= 0 < limit:
            wait_ms = int(((bucket + BUCKETS + 1) * BUCKET_S - now_s) * 1000)
            break
    return LimitReached(name, Decimal(used), Decimal(limit), wait_ms)
