"""Whether a provider key is worth trying: a state machine a key, in each process. Pure; the clock is an argument.

CLOSED ── `FAILURES` in a row ──▶ OPEN ── after `OPEN_S` ──▶ HALF_OPEN ── one call tries ──▶ CLOSED, or OPEN again

A key that the provider told to wait (429 with Retry-After) rests that long, whatever else is known of it.
"""

from enum import StrEnum

FAILURES = 5  # one after the other: no connection, 5xx, 401, 403
OPEN_S = 30.0
MOST_REST_S = 300.0  # that a provider can have us wait


class State(StrEnum):
    CLOSED = "closed"  # calls go through
    OPEN = "open"  # none does
    HALF_OPEN = "half-open"  # one does, to see


class Circuit:
    """Of one key. `now` is on the monotonic clock, in seconds, and never goes back."""

    __slots__ = ("_is_trying", "_open_until", "_rests_until", "changes", "failures", "opened_at")

    def __init__(self) -> None:
        self.failures = 0  # since the last success
        self.opened_at = 0.0  # since when no calls go through; 0.0: they do, or did until now
        self.changes = 0  # counted, for those who tell others (circuit_board.py)
        self._open_until = 0.0
        self._rests_until = 0.0
        self._is_trying = False  # the one call of HALF_OPEN is under way

    def __repr__(self) -> str:
        return f"<Circuit: {self.failures} failures, until {max(self._open_until, self._rests_until):.1f}>"

    def state(self, now: float) -> State:
        if now < self._rests_until or now < self._open_until:
            return State.OPEN
        return State.HALF_OPEN if self.failures >= FAILURES else State.CLOSED

    def admits(self, now: float) -> bool:
        """Whether a call may be sent with the key."""
        state = self.state(now)
        return state is State.CLOSED or (state is State.HALF_OPEN and not self._is_trying)

    def closes_at(self, now: float) -> float:
        """When a call may be tried; `now` where one may now."""
        return max(now, self._open_until, self._rests_until)

    def is_untroubled(self, now: float) -> bool:
        """Whether there is nothing to tell of it."""
        return not self.failures and now >= self._rests_until

    # What is seen of calls

    def begin(self, now: float) -> None:
        """A call is sent. Every one ends in exactly one of those below."""
        self._is_trying = self.state(now) is State.HALF_OPEN

    def succeed(self) -> None:
        """The provider took the key."""
        self._is_trying = False
        if self.failures:
            self.failures, self.opened_at = 0, 0.0
            self.changes += 1

    def fail(self, now: float) -> None:
        """It didn't, or there is no provider."""
        self.failures += 1
        self._is_trying = False
        self.changes += 1
        if self.failures >= FAILURES:
            self.opened_at = self.opened_at or now
            self._open_until = now + OPEN_S

    def rest(self, now: float, for_s: float) -> None:
        """It takes the key, but not now; 0: it didn't say for how long."""
        self._is_trying = False
        if for_s > 0:
            is_new = self.state(now) is not State.OPEN
            self.opened_at = now if is_new and self.failures < FAILURES else self.opened_at or now
            self.changes += 1
        self._rests_until = max(self._rests_until, now + min(for_s, MOST_REST_S))

    def forget(self) -> None:
        """The call was given up: nothing is known."""
        self._is_trying = False
