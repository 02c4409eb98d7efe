"""How long, as OpenAI writes it."""

import pytest

from apps.limits.headers import duration

DURATIONS = [(0, b"0ms"), (120, b"120ms"), (999, b"999ms"), (1000, b"1s"), (1001, b"2s"), (59_001, b"1m0s"),
             (60_000, b"1m0s"), (61_000, b"1m1s"), (3_600_000, b"1h0m0s"), (86_400_000, b"24h0m0s")]  # fmt: skip


@pytest.mark.parametrize(("ms", "written"), DURATIONS)
def test_durations(ms: int, written: bytes):
    assert duration(ms) == written
