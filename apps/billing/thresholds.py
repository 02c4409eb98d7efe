"""Which thresholds an amount passed on its way. Pure. Source: BILLING.md 2.11."""

from collections.abc import Iterator, Sequence

from apps.billing.money import Exact


def crossed(once: Sequence[Exact], every: Exact | None, *, previous: Exact, current: Exact) -> list[Exact]:
    """Those passed on the way up from `previous` to `current`, in order: above the one, up to the other.

    every: further ones at each such step above the last of `once` (above 0, where there are none).
    """
    return [at for at in _rising(once, every, current) if previous < at <= current]


def crossed_down(once: Sequence[Exact], every: Exact | None, *, previous: Exact, current: Exact) -> list[Exact]:
    """Those passed on the way down, the lowest first: from `current`, that included, to below `previous`.

    every: further ones at each such step below the lowest of `once`.
    """
    mirrored = _rising([-at for at in once], every, -current)
    return sorted(-at for at in mirrored if -previous < at <= -current)


def _rising(once: Sequence[Exact], every: Exact | None, end: Exact) -> Iterator[Exact]:
    ordered = sorted(once)
    yield from ordered
    if not every or every <= 0:
        return
    at = (ordered[-1] if ordered else 0) + every
    while at <= end:
        yield at
        at += every
