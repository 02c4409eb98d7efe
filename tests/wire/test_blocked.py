"""A blocked end user is refused on every wire and by every process, at once and by name; nobody else is."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator

import pytest

from tests.rig.calls import chat, gemini, messages
from tests.rig.client import Ask, Seen, call
from tests.rig.installation import Installation
from tests.rig.processes import listen, port_of, wait_until

WIRES = [chat, messages, gemini]
ROUNDS = 8  # calls in a row that are answered alike: of both processes, as good as surely
ANN = "ann é日本 " + "x" * 400


@pytest.fixture(scope="module")
def port(installation: Installation) -> Iterator[int]:
    with listen() as listener:
        processes = installation.proxies(2, fd=listener.fileno())
        yield port_of(listener)
        for process in processes:
            process.stop()


def seen_of(port: int, ask: Ask) -> Seen:
    return asyncio.run(call(port, ask))


def as_ann(ask: Ask) -> Ask:
    """By the header; the client writes UTF-8."""
    ask.headers["tollgate-user-id"] = ANN
    return ask


def all_answer(port: int, ask: Callable[[], Ask], status: int) -> bool:
    return all(seen_of(port, ask()).status == status for _ in range(ROUNDS))


@pytest.mark.parametrize("wire", WIRES)
def test_a_blocked_user_is_refused_at_once_and_let_in_again(
    installation: Installation, port: int, wire: Callable[..., Ask]
):
    tenant = installation.tenant()
    neighbour = installation.desk("add_neighbour", customer=tenant.customer)
    assert all_answer(port, lambda: as_ann(wire(tenant.key)), 200)
    installation.desk("block", customer=tenant.customer, end_user=ANN, is_blocked=True)
    wait_until(lambda: all_answer(port, lambda: as_ann(wire(tenant.key)), 403), "both processes refuse it")
    began = time.monotonic()
    for is_streamed in (False, True):
        seen = seen_of(port, as_ann(wire(tenant.key, is_streamed=is_streamed)))
        assert seen.status == 403
        assert "is blocked" in json.loads(seen.body)["error"]["message"]
    assert installation.provider_calls(since=began) == []
    assert seen_of(port, wire(tenant.key)).status == 200  # another of its users
    assert seen_of(port, as_ann(wire(neighbour["key"]))).status == 200  # the same name, elsewhere
    installation.desk("block", customer=tenant.customer, end_user=ANN, is_blocked=False)
    wait_until(lambda: all_answer(port, lambda: as_ann(wire(tenant.key)), 200), "both let it in again")


def test_the_body_names_it_too_and_programs_have_a_code(installation: Installation, port: int):
    tenant = installation.tenant()
    installation.desk("block", customer=tenant.customer, end_user="bob", is_blocked=True)

    def by_body() -> Ask:
        ask = chat(tenant.key, user="bob")
        del ask.headers["tollgate-user-id"]
        return ask

    wait_until(lambda: all_answer(port, by_body, 403), "both processes refuse it")
    assert json.loads(seen_of(port, by_body()).body)["error"]["code"] == "end_user_blocked"
