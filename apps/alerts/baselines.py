"""What a rule's window is compared with: the one before it, or the usual one."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from apps.alerts.deciding import usual
from apps.alerts.measuring import Group, Measured, Window, measure
from apps.alerts.models import AlertRule
from apps.alerts.terms import Comparison

DAY = timedelta(days=1)
DAYS_BACK = 7  # of windows up to a day: the same hours of the last seven days, so that nights are like nights
WINDOWS_BACK = 4  # of longer ones


def baselines(rule: AlertRule, window: Window, groups: list[Group], *, at: datetime) -> Mapping[Group, Decimal | None]:
    """The baseline of each group, in the metric's unit; None where there is none."""
    if rule.comparison == Comparison.ABSOLUTE or not groups:
        return {}
    earlier = [measure(rule, each, at=at, only=groups) for each in earlier_windows(rule, window)]
    if rule.comparison == Comparison.BEFORE:
        return {group: _value(earlier[0].get(group)) for group in groups}
    return {group: _usual(group, earlier) for group in groups}


def earlier_windows(rule: AlertRule, window: Window) -> list[Window]:
    """The windows that it is compared with, the nearest first."""
    length = window.until - window.since
    if rule.comparison == Comparison.BEFORE:
        return [window.moved(-length)]
    if length <= DAY:
        return [window.moved(-DAY * day) for day in range(1, DAYS_BACK + 1)]
    return [window.moved(-length * number) for number in range(1, WINDOWS_BACK + 1)]


def _value(measured: Measured | None) -> Decimal | None:
    return None if measured is None else measured.value


def _usual(group: Group, earlier: list[Mapping[Group, Measured]]) -> Decimal | None:
    """Windows from before the group was first seen say nothing of it; quiet ones since then do."""
    values = [_value(window.get(group)) for window in earlier]
    while values and not values[-1]:
        values.pop()
    return usual([value or Decimal(0) for value in values])
