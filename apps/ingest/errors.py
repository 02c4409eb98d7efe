"""What can be wrong with usage that is sent.

Invalid        of one event, or one line of a file
Unreadable     of a whole body: nothing of it is taken
  TooLarge
"""


class Invalid(Exception):
    """An event cannot be counted as it is. `field`: what of it; "" where that cannot be said."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field


class Unreadable(Exception):
    """A body is not what it is said to be."""


class TooLarge(Unreadable):
    """A body, or what it unpacks to, is longer than is taken."""
