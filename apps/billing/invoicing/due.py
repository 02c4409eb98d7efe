"""Which periods customers are billed for, and which of them are over. Pure: what is stored is given.

With a plan, periods are those of its subscription; without one, calendar months. They tile time: where a customer
moves from one kind of period to another, the one before ends that day. Where an organization changes its time zone,
the period that it is in ends with the midnight at which the next one begins there: no hour is between, or in two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from apps.billing.models import Subscription
from apps.billing.periods import Alignment, Cycle, Interval, Period, begin_of, day_of, periods_between

BEGIN_OF_TIME = date(2000, 1, 1)  # a Saturday, and the first of a year: no usage is older
A_DAY = timedelta(days=1)


class ZoneSince(NamedTuple):
    """The zone of the calendar from a day on."""

    first: date
    name: str


Zones = Sequence[ZoneSince]  # in order; the first from BEGIN_OF_TIME on


@dataclass(frozen=True)
class Stretch:
    """Days on which a customer's periods are those of one cycle.

    begins_at, ends_at: where it meets another in an instant that is not its own midnight.
    """

    cycle: Cycle
    first: date
    until: date | None  # the first day without it; None: for ever
    begins_at: datetime | None = None
    ends_at: datetime | None = None

    def has(self, at: datetime) -> bool:
        if at < (self.begins_at or begin_of(self.first, self.cycle.zone_name)):
            return False
        return self.until is None or at < (self.ends_at or begin_of(self.until, self.cycle.zone_name))

    def part_of(self, whole: Period) -> Period | None:
        """What of a period it has."""
        part = whole.overlap(self.first, self.until)
        if part is None:
            return None
        begins = self.begins_at if part.first == self.first else None
        ends = self.ends_at if part.until == self.until else None
        return replace(part, begins_at=begins, ends_at=ends)

    def day_of(self, at: datetime) -> date:
        """Which of its days an instant is on: where it meets another, the day next to it."""
        day = max(day_of(at, self.cycle.zone_name), self.first)
        return day if self.until is None else min(day, self.until - A_DAY)


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


def stretches(subscriptions: Sequence[Subscription], zones: Zones) -> list[Stretch]:
    """Of all time, in order: what has the same periods is one. subscriptions: a customer's, in order of start."""
    found: list[Stretch] = []
    for stretch in _in_order(subscriptions, zones):
        if found and found[-1].cycle == stretch.cycle:
            found[-1] = replace(found[-1], until=stretch.until, ends_at=stretch.ends_at)
        else:
            found.append(stretch)
    return found


def _in_order(subscriptions: Sequence[Subscription], zones: Zones) -> Iterator[Stretch]:
    day: date | None = BEGIN_OF_TIME
    ended_at: datetime | None = None
    for subscription in subscriptions:
        begins = day_of(subscription.starts_at, subscription.time_zone)
        ends = day_of(subscription.ends_at, subscription.time_zone) if subscription.ends_at else None
        if day is not None and day < begins:
            yield from _calendar(zones, day, begins, ended_at, subscription.starts_at)
        if ends is None or begins < ends:
            yield Stretch(cycle_of(subscription), begins, ends)
        day, ended_at = ends, subscription.ends_at
    if day is not None:
        yield from _calendar(zones, day, None, ended_at, None)


def _calendar(
    zones: Zones, first: date, until: date | None, begins_at: datetime | None, ends_at: datetime | None
) -> Iterator[Stretch]:
    """Months from `first` up to, not including, `until`, in the zone of each time.

    The last of one zone ends with the midnight at which the first of the next begins.
    """
    for zone, following in zip(zones, [*zones[1:], None], strict=True):
        since = max(first, zone.first)
        ends = until if following is None else following.first if until is None else min(until, following.first)
        if ends is not None and since >= ends:
            continue
        meets_at = ends_at if following is None or ends == until else begin_of(following.first, following.name)
        yield Stretch(months(zone.name), since, ends, begins_at if since == first else None, meets_at)


def dues(customer_id: UUID, over: Sequence[Stretch], first: date, until: date) -> Iterator[Due]:
    """The periods with a day from `first` up to, not including, `until`, in order."""
    for stretch in over:
        end = until if stretch.until is None else min(until, stretch.until)
        for whole in periods_between(stretch.cycle, max(first, stretch.first), end):
            if part := stretch.part_of(whole):
                yield Due(customer_id, part, whole)


def due_at(customer_id: UUID, over: Sequence[Stretch], at: datetime) -> Due:
    """The period that an instant is in."""
    for stretch in over:
        if stretch.has(at):
            whole = stretch.cycle.period(stretch.cycle.index_on(stretch.day_of(at)))
            part = stretch.part_of(whole)
            assert part is not None  # it has the day
            return Due(customer_id, part, whole)
    raise ValueError(f"there is no period at {at}")
