"""How large the tests of faults are: short ones in `make test`, the whole by `make faults`."""

import os

IS_LONG = os.environ.get("TOLLGATE_FAULTS") == "long"


def size(short: int, long: int) -> int:
    """One or the other."""
    return long if IS_LONG else short
