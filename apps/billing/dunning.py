"""Which reminder is due, and whether it is time for the final step. Pure.

Days are counted from the day an invoice was due, in the organization's zone: on the day itself nothing is overdue.
A reminder goes out once. Of several whose days passed unnoticed only the last goes out: nobody gets two at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Policy:
    """Reminders after so many days, in order; suspended after so many, or never."""

    reminder_days: tuple[int, ...] = ()
    suspends_after: int | None = None


@dataclass(frozen=True)
class Steps:
    """What is due today. reminder: its number, from 1; None: none."""

    reminder: int | None
    suspends: bool


def policy_of(reminder_days: Sequence[int], final_step: str, final_step_days: int) -> Policy:
    """From what an operator set."""
    days = tuple(sorted({int(day) for day in reminder_days}))
    return Policy(days, final_step_days if final_step == "suspend" else None)


def days_overdue(due_on: date, today: date) -> int:
    """0 on the day that it is due, and before."""
    return max((today - due_on).days, 0)


def steps_due(policy: Policy, overdue: int, reminded: int) -> Steps:
    """overdue: days. reminded: the number of the last reminder that was counted, 0 for none."""
    passed = sum(day <= overdue for day in policy.reminder_days) if overdue else 0
    suspends = policy.suspends_after is not None and overdue >= max(policy.suspends_after, 1)
    return Steps(passed if passed > reminded else None, suspends)
