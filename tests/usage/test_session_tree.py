"""The tree that the paths of a session draw."""

from datetime import timedelta
from decimal import Decimal

import pytest

from apps.usage.models import TOKEN_KINDS, Request, Result
from apps.usage.session_tree import DEEPEST, steps_of, tree_of
from tests.usage.conftest import NOON


def a_step(path: str | None, seconds: int, **fields) -> Request:
    values = {f"{kind}_tokens": 0 for kind in TOKEN_KINDS} | {"input_tokens": 10, "output_tokens": 5}
    values |= {"cost": Decimal(1), "price": Decimal(2), "latency_ms": 500, "result": Result.SERVED}
    return Request(session_path=path, started_at=NOON + timedelta(seconds=seconds), **values | fields)


def drawn(*requests: Request) -> list[tuple[str, int, int, Decimal, float | None]]:
    return [(node.path, node.depth, node.count, node.cost, node.duration_ms) for node in tree_of(requests).walk()]


def test_a_step_has_what_is_below_it():
    assert drawn(a_step("/trip", 0), a_step("/trip/hotel", 1), a_step("/answer", 9), a_step("/trip/hotel/rank", 3)) == [
        ("/", 0, 4, 4, 9500),
        ("/trip", 1, 3, 3, 3500),
        ("/trip/hotel", 2, 2, 2, 2500),
        ("/trip/hotel/rank", 3, 1, 1, 500),
        ("/answer", 1, 1, 1, 500),
    ]


def test_a_parent_need_not_have_a_request_of_its_own():
    root = tree_of([a_step("/a/b", 0)])
    assert [(node.name, len(node.requests)) for node in root.walk()] == [("", 0), ("a", 0), ("b", 1)]


def test_what_is_not_known_is_counted_apart():
    root = tree_of([a_step("/a", 0, cost=None, price=None), a_step("/a", 1, result=Result.FAILED)])
    assert (root.cost, root.price, root.unpriced, root.failed, root.tokens) == (1, 2, 1, 1, 30)


def test_the_longest_answer_ends_it():
    assert tree_of([a_step(None, 0, latency_ms=60_000), a_step("/", 1)]).duration_ms == 60_000


def test_of_nothing_it_is_empty():
    assert drawn() == [("/", 0, 0, 0, None)]


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("", []),
        ("/", []),
        ("a", ["a"]),
        ("/a/b", ["a", "b"]),
        ("//a// b /", ["a", "b"]),
        ("/ünï/💡", ["ünï", "💡"]),
        ("/" + "x/" * 40, ["x"] * (DEEPEST - 1) + ["/".join(["x"] * (41 - DEEPEST))]),
    ],
)
def test_paths(path, steps):
    assert steps_of(path) == steps
