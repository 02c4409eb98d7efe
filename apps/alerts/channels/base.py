"""What a kind of channel does: take a delivery to its receiver. A kind is a module beside this one, with `send`."""

from typing import NamedTuple

MOST_ANSWER = 1024  # characters of an answer that are kept


class Outcome(NamedTuple):
    """What became of a try."""

    is_sent: bool
    status: int | None = None  # of HTTP
    answer: str = ""  # the beginning of it, or what went wrong
    is_final: bool = False  # trying again cannot help
