"""How large the tests of faults are: short ones in `make test`, the whole by `make faults`."""

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

IS_LONG = os.environ.get("TOLLGATE_FAULTS") == "long"


def some(values: Sequence[T], first: int) -> Sequence[T]:
    """All of them, or the first few."""
    return values if IS_LONG else values[:first]


def size(short: int, long: int) -> int:
    """One or the other."""
    return long if IS_LONG else short
