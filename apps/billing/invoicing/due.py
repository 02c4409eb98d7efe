"""Which periods customers are billed for, and which of them are over. Pure: what is stored is given.

With a plan, periods are those of its subscription; without one, calendar months. They tile time: where a customer
moves from one kind of period to another, the one before ends that day.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from apps.billing.models import Subscription
from apps.billing.periods import Alignment, Cycle, Interval, Period, day_of, periods_between

BEGIN_OF_TIME = date(2000, 1, 1)  # a Saturday, and the first of a year: no usage is older


@dataclass(frozen=True)
class Stretch:
    """Days on which a customer's periods are those of one cycle."""

    cycle: Cycle
    first: date
    until: date | None  # the first day without it; None: for ever


@dataclass(frozen=True)
class Due:
    """A period of a customer, to be invoiced. whole: the cycle's period that it is, or is a part of."""

    customer_id: UUID
    period: Period
    whole: Period

    @property
    def key(self) -> str:
        """What the customer has one invoice of."""
        return key_of(self.period.since_at)


def key_of(since: datetime) -> str:
    return f"period:{since.isoformat()}"


def months(zone_name: str) -> Cycle:
    """The cycle of who has no plan."""
    return Cycle(Interval.MONTH, BEGIN_OF_TIME, zone_name, Alignment.CALENDAR)


def cycle_of(subscription: Subscription) -> Cycle:
    version = subscription.version
    alignment = Alignment(version.alignment)
    anchor = BEGIN_OF_TIME if alignment is Alignment.CALENDAR else subscription.anchor_on
    return Cycle(Interval(version.interval), anchor, subscription.time_zone, alignment)


def stretches(subscriptions: Sequence[Subscription], zone_name: str) -> list[Stretch]:
    """Of all time, in order: what has the same periods is one. subscriptions: a customer's, in order of start."""
    found: list[Stretch] = []
    for stretch in _in_order(subscriptions, zone_name):
        if found and found[-1].cycle == stretch.cycle:
            found[-1] = Stretch(stretch.cycle, found[-1].first, stretch.until)
        else:
            found.append(stretch)
    return found


def _in_order(subscriptions: Sequence[Subscription], zone_name: str) -> Iterator[Stretch]:
    day: date | None = BEGIN_OF_TIME
    for subscription in subscriptions:
        begins = day_of(subscription.starts_at, subscription.time_zone)
        ends = day_of(subscription.ends_at, subscription.time_zone) if subscription.ends_at else None
        if day is not None and day < begins:
            yield Stretch(months(zone_name), day, begins)
        if ends is None or begins < ends:
            yield Stretch(cycle_of(subscription), begins, ends)
        day = ends
    if day is not None:
        yield Stretch(months(zone_name), day, None)


def dues(customer_id: UUID, over: Sequence[Stretch], first: date, until: date) -> Iterator[Due]:
    """The periods with a day from `first` up to, not including, `until`, in order."""
    for stretch in over:
        end = until if stretch.until is None else min(until, stretch.until)
        for whole in periods_between(stretch.cycle, max(first, stretch.first), end):
            if part := whole.overlap(stretch.first, stretch.until):
                yield Due(customer_id, part, whole)


def due_at(customer_id: UUID, over: Sequence[Stretch], at: datetime) -> Due:
    """The period that an instant is in."""
    for stretch in over:
        day = day_of(at, stretch.cycle.zone_name)
        if stretch.first <= day and (stretch.until is None or day < stretch.until):
            whole = stretch.cycle.period(stretch.cycle.index_on(day))
            part = whole.overlap(stretch.first, stretch.until)
            assert part is not None  # it has the day
            return Due(customer_id, part, whole)
    raise ValueError(f"there is no period at {at}")
