"""A key's circuit: when it opens, who tries it, and when it closes again."""

import pytest

from apps.proxy.circuit import FAILURES, MOST_REST_S, OPEN_S, Circuit, State

FAIL, OK, BEGIN, FORGET = "fail", "ok", "begin", "forget"
STORIES = [  # what happens (second, what), then at which second the circuit is what, and whether it admits a call
    pytest.param([], [(0, State.CLOSED, True)], id="new"),
    pytest.param([(0, FAIL)] * (FAILURES - 1), [(0, State.CLOSED, True)], id="one-failure-short"),
    pytest.param(
        [(0, FAIL)] * FAILURES,
        [(0, State.OPEN, False), (OPEN_S - 0.01, State.OPEN, False), (OPEN_S, State.HALF_OPEN, True)],
        id="opens",
    ),
    pytest.param([*[(0, FAIL)] * (FAILURES - 1), (1, OK), (2, FAIL)], [(2, State.CLOSED, True)], id="in-a-row-only"),
    pytest.param(
        [*[(0, FAIL)] * FAILURES, (OPEN_S, BEGIN)], [(OPEN_S, State.HALF_OPEN, False)], id="one-trial-at-a-time"
    ),
    pytest.param([*[(0, FAIL)] * FAILURES, (OPEN_S, BEGIN), (31, OK)], [(31, State.CLOSED, True)], id="closes"),
    pytest.param(
        [*[(0, FAIL)] * FAILURES, (30, BEGIN), (31, FAIL)],
        [(60.9, State.OPEN, False), (61, State.HALF_OPEN, True)],
        id="opens-again-at-the-first-failure",
    ),
    pytest.param(
        [*[(0, FAIL)] * FAILURES, (30, BEGIN), (31, FORGET)], [(31, State.HALF_OPEN, True)], id="a-trial-given-up"
    ),
    pytest.param([(0, 7.0)], [(6.9, State.OPEN, False), (7, State.CLOSED, True)], id="rests-as-long-as-told"),
    pytest.param([(0, 0.0)], [(0, State.CLOSED, True)], id="told-no-time"),
    pytest.param([(0, 7.0), (1, 2.0)], [(6.9, State.OPEN, False)], id="the-longer-rest-holds"),
    pytest.param(
        [(0, 1e6)], [(MOST_REST_S - 1, State.OPEN, False), (MOST_REST_S, State.CLOSED, True)], id="not-for-ever"
    ),
    pytest.param([(0, 7.0), (1, OK)], [(2, State.OPEN, False)], id="an-older-calls-success-ends-no-rest"),
]


@pytest.mark.parametrize(("story", "expected"), STORIES)
def test_the_states_of_a_circuit(story, expected):
    circuit = Circuit()
    for at, what in story:
        match what:
            case "fail":
                circuit.fail(at)
            case "ok":
                circuit.succeed()
            case "begin":
                circuit.begin(at)
            case "forget":
                circuit.forget()
            case seconds:
                circuit.rest(at, seconds)
    assert [(at, circuit.state(at), circuit.admits(at)) for at, _, _ in expected] == expected
