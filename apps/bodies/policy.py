"""What is kept of an organization's requests, narrowed for one of its customers. Pure; knows no Django."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from apps.bodies.redaction import READY_MADE, Redactor, redactor

RETENTIONS = (1, 3, 7, 14, 30, 60, 90, 180, 365)  # days: few, so that a body is found without asking each day's table
MOST_KB = 256  # of a body: two fit in a frame of the spool with room to spare
READY = tuple(READY_MADE)


@dataclass(frozen=True, slots=True)
class Policy:
    """What is kept of a request and its answer. Shared by all calls of a customer."""

    keeps_requests: bool
    keeps_responses: bool
    days: int  # after which it is gone
    most_bytes: int  # of each body; what is longer is cut off there
    ready_made: tuple[str, ...] = READY  # what is taken out: names of READY_MADE
    patterns: tuple[str, ...] = ()  # and regular expressions

    @property
    def redactor(self) -> Redactor:
        return redactor(self.ready_made, self.patterns)

    def last_day(self, started_at: float) -> date:
        """The day (UTC) before which a body of a call that began then (Unix time) is not gone yet."""
        return datetime.fromtimestamp(started_at, UTC).date() + timedelta(days=self.days + 1)


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What a customer's own policy takes away from its organization's. None: nothing."""

    keeps_requests: bool = True
    keeps_responses: bool = True
    days: int | None = None
    most_bytes: int | None = None
    patterns: tuple[str, ...] = ()


def narrowed(policy: Policy | None, by: Narrowing) -> Policy | None:
    """The policy for a customer; None: nothing is kept."""
    if policy is None:
        return None
    keeps_requests = policy.keeps_requests and by.keeps_requests
    keeps_responses = policy.keeps_responses and by.keeps_responses
    if not keeps_requests and not keeps_responses:
        return None
    return Policy(
        keeps_requests,
        keeps_responses,
        policy.days if by.days is None else min(policy.days, by.days),
        policy.most_bytes if by.most_bytes is None else min(policy.most_bytes, by.most_bytes),
        policy.ready_made,
        tuple(dict.fromkeys((*policy.patterns, *by.patterns))),
    )


def gone_days(started_on: date) -> list[date]:
    """The days on which bodies of calls that began on this day (UTC) may go: where to look for them."""
    return [started_on + timedelta(days=days + 1) for days in RETENTIONS]
