"""In which order keys are tried."""

from collections import Counter
from random import Random

import pytest

from apps.proxy.attempts import ordered
from apps.proxy.circuit import FAILURES, Circuit
from apps.proxy.route import Route, Share
from apps.proxy.upstream import Origin


def a_share(name: str, weight: int = 1, position: int = 0) -> Share:
    route = Route("openai", name.encode(), "openai", Origin.parse("http://127.0.0.1:1"), b"", b"secret")
    return Share(route, weight, position)


def names(routes: list[Route]) -> str:
    return "".join(route.provider_key_id.decode() for route in routes)


def an_open(until: float) -> Circuit:
    circuit = Circuit()
    circuit.rest(0, until)
    return circuit


A, B, C = a_share("A"), a_share("B", position=1), a_share("C", position=1)
ORDERS = [  # shares, until when their circuits are open, the order at second 10 with the draws .9 .5 .1
    pytest.param([A], {}, "A", id="one"),
    pytest.param([C, B, A], {}, "ACB", id="positions"),
    pytest.param([A, B, C], {"A": 11}, "BC", id="an-open-one-is-left-out"),
    pytest.param([A, B, C], {"A": 10}, "ABC", id="in-time"),
    pytest.param([A, B, C], {"A": 20, "B": 11, "C": 12}, "B", id="all-open"),
]


@pytest.mark.parametrize(("shares", "open_until", "order"), ORDERS)
def test_the_order_of_keys(shares, open_until, order):
    draws = iter([0.9, 0.5, 0.1])
    circuits = {name.encode(): an_open(until) for name, until in open_until.items()}
    assert names(ordered(shares, circuits, 10.0, lambda: next(draws))) == order


def test_weights_are_shares_of_the_calls():
    chance = Random(7).random
    shares = [a_share("A", 7), a_share("B", 2), a_share("C", 1)]
    first = Counter(names(ordered(shares, {}, 0.0, chance))[0] for _ in range(10_000))
    assert {name: round(count / 1000) for name, count in first.items()} == {"A": 7, "B": 2, "C": 1}


def test_a_half_open_key_is_tried_by_one_call():
    circuit = Circuit()
    for _ in range(FAILURES):
        circuit.fail(0.0)
    shares, circuits = [a_share("A"), a_share("B", position=1)], {b"A": circuit}
    assert names(ordered(shares, circuits, 30.0, lambda: 0.5)) == "AB"
    circuit.begin(30.0)
    assert names(ordered(shares, circuits, 30.0, lambda: 0.5)) == "B"
