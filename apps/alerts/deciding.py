"""Whether a rule fires, goes on, or is over: decided from values alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from statistics import median

from apps.alerts.terms import QUIET_BEFORE_RESOLVED, Comparison, Direction, Subject


@dataclass(frozen=True)
class Terms:
    """What a rule asks for. threshold: an amount in the metric's unit, or percent of a baseline."""

    threshold: Decimal
    direction: Direction = Direction.ABOVE
    comparison: Comparison = Comparison.ABSOLUTE
    min_requests: int = 0


@dataclass(frozen=True)
class Reading:
    """What was measured for one group. value None: nothing that could be (no call has a latency, say)."""

    value: Decimal | None
    requests: int = 0
    baseline: Decimal | None = None  # None: not known, or not asked for
    label: str = ""
    subject: Subject | None = None
    subject_id: str = ""
    customer_id: str | None = None
    terms: Terms | None = None  # of its own, in place of the rule's
    tells: bool = True  # False: something that says more is told at once


class Verdict(Enum):
    """What to do about a group."""

    NOTHING = auto()
    FIRE = auto()  # it was not firing, and is
    KEEP = auto()  # it is firing still
    QUIET = auto()  # it would not fire any more: note since when
    RESOLVE = auto()  # and that for long enough


def bar_of(terms: Terms, baseline: Decimal | None) -> Decimal | None:
    """The value at which it fires, in the metric's own unit. None: there is nothing to compare with.

    Compared with nothing at all (a baseline of zero), everything would be infinitely more: what is new is
    for a rule with an amount, and this one waits until there is a baseline.
    """
    if terms.comparison is Comparison.ABSOLUTE:
        return terms.threshold
    if baseline is None or baseline <= 0:
        return None
    change = terms.threshold / 100
    return baseline * (1 + change if terms.direction is Direction.ABOVE else 1 - change)


def is_breached(terms: Terms, reading: Reading | None) -> bool:
    """Whether what was measured is what the rule is to tell of."""
    if reading is None or reading.value is None or reading.requests < terms.min_requests:
        return False
    bar = bar_of(terms, reading.baseline)
    if bar is None:
        return False
    return reading.value >= bar if terms.direction is Direction.ABOVE else reading.value < bar


def decide(
    breached: bool,
    is_firing: bool,
    quiet_since: datetime | None,
    at: datetime,
    *,
    quiet: timedelta = QUIET_BEFORE_RESOLVED,
) -> Verdict:
    """What becomes of a group at `at`.

    quiet_since: of an alert that is firing, when it last began to be quiet. One that is loud again before
    it was quiet for `quiet` goes on: what flutters around its threshold is told once.
    """
    if not is_firing:
        return Verdict.FIRE if breached else Verdict.NOTHING
    if breached:
        return Verdict.KEEP
    if quiet_since is None:
        return Verdict.QUIET if quiet else Verdict.RESOLVE
    return Verdict.RESOLVE if at - quiet_since >= quiet else Verdict.NOTHING


def usual(values: Sequence[Decimal]) -> Decimal | None:
    """The median of earlier windows; None where there are fewer than three."""
    return median(values) if len(values) >= 3 else None
