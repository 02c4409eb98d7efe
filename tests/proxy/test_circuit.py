"""When a key's circuit opens, for how long, and who finds out that it is well again."""

import pytest

from apps.proxy.circuit import FAILURES, MOST_WAIT_S, OPEN_S, Circuits

KEY, OTHER = b"k" * 16, b"o" * 16


@pytest.fixture
def circuits() -> Circuits:
    return Circuits()


OPENS = [  # statuses of calls in a row, whether it is open then
    pytest.param([500] * (FAILURES - 1), False, id="a few failures"),
    pytest.param([500] * FAILURES, True, id="many"),
    pytest.param([0] * FAILURES, True, id="not reached"),
    pytest.param([500, 0, 503, 502, 500], True, id="of all kinds"),
    pytest.param([401], True, id="a key that is refused"),
    pytest.param([403], True, id="or forbidden"),
    pytest.param([429] * FAILURES, False, id="used up, nobody says for how long"),
]


@pytest.mark.parametrize(("statuses", "is_open"), OPENS)
def test_a_circuit_opens_by_failures_in_a_row(circuits: Circuits, statuses: list[int], is_open: bool):
    for status in statuses:
        circuits.failed(KEY, 100.0, status=status)
    assert circuits.lets_through(KEY, 100.0) is not is_open
    assert circuits.lets_through(OTHER, 100.0)


def test_a_success_in_between_makes_all_forgotten(circuits: Circuits):
    for _ in range(3):
        for _ in range(FAILURES - 1):
            circuits.failed(KEY, 100.0, status=500)
        circuits.succeeded(KEY)
    assert circuits.lets_through(KEY, 100.0)


def test_once_its_time_is_up_one_call_finds_out(circuits: Circuits):
    circuits.failed(KEY, 100.0, status=401)
    assert not circuits.lets_through(KEY, 100.0 + OPEN_S - 0.001)
    assert [circuits.lets_through(KEY, 100.0 + OPEN_S) for _ in range(3)] == [True, False, False]
    circuits.failed(KEY, 200.0, status=500)  # not well yet
    assert not circuits.lets_through(KEY, 200.0 + OPEN_S - 0.001)
    assert circuits.lets_through(KEY, 200.0 + OPEN_S)
    circuits.succeeded(KEY)
    assert [circuits.lets_through(KEY, 300.0) for _ in range(3)] == [True, True, True]


WAITS = [  # what Retry-After says, and how long no call goes
    (2.5, 2.5),
    (10_000.0, MOST_WAIT_S),
]


@pytest.mark.parametrize(("asked_s", "waits_s"), WAITS)
def test_a_key_that_is_used_up_rests_as_long_as_its_provider_asks(circuits: Circuits, asked_s: float, waits_s: float):
    circuits.failed(KEY, 100.0, status=429, wait_s=asked_s)
    assert not circuits.lets_through(KEY, 100.0 + waits_s - 0.001)
    assert circuits.lets_through(KEY, 100.0 + waits_s)
