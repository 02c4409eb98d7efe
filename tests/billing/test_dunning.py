"""Which reminder is due, and whether it is time for the final step."""

from datetime import date

import pytest

from apps.billing.dunning import Policy, Steps, days_overdue, policy_of, steps_due

THREE = Policy((3, 6, 9))


def course(policy: Policy, days: range) -> dict[int, int]:
    """The day on which each reminder goes out, looked at every day."""
    reminded, sent = 0, {}
    for day in days:
        if (number := steps_due(policy, day, reminded).reminder) is not None:
            reminded, sent[number] = number, day
    return sent


def test_reminders_go_out_on_their_days_and_then_it_is_over():
    """BILLING.md 3, case 50: days 3, 6, 9, then finished."""
    assert course(THREE, range(60)) == {1: 3, 2: 6, 3: 9}


STEPS = [  # policy, days overdue, reminders counted, what is due
    pytest.param(THREE, 0, 0, Steps(None, False), id="on-the-day"),
    pytest.param(THREE, 2, 0, Steps(None, False), id="before-the-first"),
    pytest.param(THREE, 3, 0, Steps(1, False), id="the-first"),
    pytest.param(THREE, 3, 1, Steps(None, False), id="once"),
    pytest.param(THREE, 7, 0, Steps(2, False), id="of-two-that-were-missed-the-last"),
    pytest.param(THREE, 7, 2, Steps(None, False), id="not-the-first-after-the-second"),
    pytest.param(THREE, 400, 3, Steps(None, False), id="no-more"),
    pytest.param(Policy(), 400, 0, Steps(None, False), id="nothing-set"),
    pytest.param(Policy((3,), 10), 9, 1, Steps(None, False), id="before-the-final-step"),
    pytest.param(Policy((3,), 10), 10, 1, Steps(None, True), id="the-final-step"),
    pytest.param(Policy((3, 10), 10), 10, 1, Steps(2, True), id="both"),
    pytest.param(Policy((), 0), 0, 0, Steps(None, False), id="never-before-it-is-overdue"),
    pytest.param(Policy((), 0), 1, 0, Steps(None, True), id="after-no-days-is-the-day-after"),
]


@pytest.mark.parametrize(("policy", "overdue", "reminded", "steps"), STEPS)
def test_what_is_due(policy: Policy, overdue: int, reminded: int, steps: Steps):
    assert steps_due(policy, overdue, reminded) == steps


def test_days_are_in_order_and_each_once_however_they_were_set():
    assert policy_of([10, 3, 10], "none", 30) == Policy((3, 10), None)
    assert policy_of([], "suspend", 30) == Policy((), 30)


@pytest.mark.parametrize(
    ("today", "days"), [(date(2026, 12, 1), 0), (date(2026, 12, 2), 0), (date(2026, 12, 3), 1), (date(2027, 3, 2), 90)]
)
def test_days_are_counted_from_the_day_it_was_due(today: date, days: int):
    assert days_overdue(date(2026, 12, 2), today) == days
