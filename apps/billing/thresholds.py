"""Which thresholds an amount passed on its way. Pure. Source: BILLING.md 2.11."""

from collections.abc import Iterator, Sequence
from decimal import Decimal


def crossed(once: Sequence[Decimal], every: Decimal | None, *, previous: Decimal, current: Decimal) -> list[Decimal]:
    """Those passed on the way up from `previous` to `current`, in order: above the one, up to the other.

    every: further ones at each such step above the last of `once` (above 0, where there are none).
    """
    return [at for at in _rising(once, every, current) if previous < at <= current]


def crossed_down(
    once: Sequence[Decimal], every: Decimal | None, *, previous: Decimal, current: Decimal
) -> list[Decimal]:
    """Those passed on the way down, the lowest first: from `current`, that included, to below `previous`.

    every: further ones at each such step below the lowest of `once`.
    """
    mirrored = _rising([-at for at in once], every, -current)
    return sorted(-at for at in mirrored if -previous < at <= -current)


def _rising(once: Sequence[Decimal], every: Decimal | None, end: Decimal) -> Iterator[Decimal]:
    ordered = sorted(once)
    yield from ordered
    if not every or every <= 0:
        return
    at = (ordered[-1] if ordered else Decimal(0)) + every
    while at <= end:
        yield at
        at += every
