"""Several keys, and retries, through the real proxy: one call is one record, charged once, whatever it took."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from apps.usage.models import Result
from tests.faults.verify import open_holds
from tests.proxy.upstream.provider import Peer, Provider
from tests.rig.calls import chat
from tests.rig.client import Seen, call
from tests.rig.desk import MODELS
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import listen, port_of

USAGE = {"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140}
BODY = json.dumps({"id": "c", "model": MODELS["openai"], "choices": [{"message": {"content": "x"}}], "usage": USAGE})
ERROR = json.dumps({"error": {"message": "no", "type": "server_error", "code": "no"}})


@pytest.fixture(scope="module")
def port(installation: Installation) -> Iterator[int]:
    with listen() as listener:
        (process,) = installation.proxies(1, fd=listener.fileno())
        yield port_of(listener)
        process.stop()


def answer(status: int, *headers: str) -> bytes:
    body = BODY if status == 200 else ERROR
    lines = [f"HTTP/1.1 {status} Well", "content-type: application/json", *headers, f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", body]).encode()


@dataclass
class Backend:
    """One key's provider: gives these answers, then good ones."""

    answers: list[bytes]
    secrets: list[bytes] = field(default_factory=list)
    address: str = ""

    async def play(self, peer: Peer) -> None:
        while True:
            request = await peer.request()
            self.secrets.append(request.headers[b"authorization"])
            peer.write(self.answers.pop(0) if self.answers else answer(200))


@contextlib.asynccontextmanager
async def backends(*answers: list[bytes]) -> AsyncIterator[list[Backend]]:
    async with contextlib.AsyncExitStack() as stack:
        made = [Backend(list(each)) for each in answers]
        for backend in made:
            provider = await stack.enter_async_context(Provider(backend.play))
            backend.address = f"http://127.0.0.1:{provider.origin.port}"
        yield made


def _pool(installation: Installation, weights: dict[str, int], **limits: Any) -> tuple[Tenant, list[str]]:
    tenant = installation.tenant(**{"monthly_cap": "1000", **limits})
    return tenant, installation.desk("add_pool", customer=tenant.customer, addresses=weights)


def _record(installation: Installation, seen: Seen) -> dict[str, Any]:
    installation.desk("roll_up")
    (row,) = installation.rows("SELECT * FROM usage_request WHERE end_user = %s", seen.nonce)
    return row


def _tries(record: dict[str, Any]) -> list[tuple[str, int]]:
    return [(each["provider_key"], each["status"]) for each in record["attempts"]]


# Several keys


@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 503, 529])
async def test_where_one_key_fails_the_next_one_serves(installation: Installation, port: int, status: int):
    async with backends([answer(status)], []) as (first, spare):
        tenant, (first_key, spare_key) = await asyncio.to_thread(
            _pool, installation, {first.address: 1, spare.address: 0}
        )
        seen = await call(port, chat(tenant.key, max_tokens=50))
    assert (seen.status, json.loads(seen.body)["id"]) == (200, "c")
    assert [len(first.secrets), len(spare.secrets)] == [1, 1]
    record = await asyncio.to_thread(_record, installation, seen)
    assert (record["result"], record["status"], record["output_tokens"]) == (Result.SERVED, 200, 40)
    assert _tries(record) == [(first_key, status), (spare_key, 200)]
    assert str(record["provider_key_id"]) == spare_key
    assert open_holds(installation, tenant) == 0


async def test_a_key_whose_provider_cannot_be_reached_is_passed_over(installation: Installation, port: int):
    with listen() as closed:
        nowhere = f"http://127.0.0.1:{port_of(closed)}"
    async with backends([]) as (spare,):
        tenant, (dead, alive) = await asyncio.to_thread(_pool, installation, {nowhere: 1, spare.address: 0})
        seen = await call(port, chat(tenant.key))
    assert seen.status == 200
    assert _tries(await asyncio.to_thread(_record, installation, seen)) == [(dead, 0), (alive, 200)]


async def test_what_the_client_did_wrong_is_not_tried_again(installation: Installation, port: int):
    async with backends([answer(400)], []) as (first, spare):
        tenant, _ = await asyncio.to_thread(_pool, installation, {first.address: 1, spare.address: 0})
        seen = await call(port, chat(tenant.key))
    assert (seen.status, spare.secrets) == (400, [])
    record = await asyncio.to_thread(_record, installation, seen)
    assert (record["attempts"], record["price"]) == ([], 0)


async def test_an_answer_that_breaks_off_is_never_tried_again(installation: Installation, port: int):
    """The provider has begun, and charges for it."""
    async with backends([]) as (spare,):

        async def play(peer: Peer) -> None:
            await peer.request()
            peer.write(answer(200)[:-20])
            await peer.writer.drain()

        async with Provider(play) as breaking:
            address = f"http://127.0.0.1:{breaking.origin.port}"
            tenant, _ = await asyncio.to_thread(_pool, installation, {address: 1, spare.address: 0})
            await asyncio.to_thread(installation.desk, "set_retries", organization=tenant.organization, number=3)
            seen = await call(port, chat(tenant.key))
            assert breaking.connections == 1
    assert (seen.status, spare.secrets) == (502, [])


async def test_where_all_fail_the_last_error_is_the_answer(installation: Installation, port: int):
    async with backends([answer(500)], [answer(429, "retry-after: 7")]) as (first, spare):
        tenant, _ = await asyncio.to_thread(_pool, installation, {first.address: 1, spare.address: 0})
        seen = await call(port, chat(tenant.key))
    assert (seen.status, seen.headers["retry-after"]) == (429, "7")
    record = await asyncio.to_thread(_record, installation, seen)
    assert (record["result"], record["price"], len(record["attempts"])) == (Result.FAILED, 0, 2)
    assert open_holds(installation, tenant) == 0


async def test_calls_are_spread_by_weight(installation: Installation, port: int):
    async with backends([], [], []) as (one, three, spare):
        weights = {one.address: 1, three.address: 3, spare.address: 0}
        tenant, _ = await asyncio.to_thread(_pool, installation, weights)
        statuses = Counter([(await call(port, chat(tenant.key))).status for _ in range(200)])
    assert statuses == {200: 200}
    assert spare.secrets == []
    assert 25 <= len(one.secrets) <= 80  # 50 of 200: beyond this once in 100,000 times
    assert len({*one.secrets, *three.secrets}) == 2  # each with its own secret


async def test_a_key_that_goes_on_failing_is_left_alone_for_a_while(installation: Installation, port: int):
    async with backends([answer(500)] * 20, []) as (failing, spare):
        tenant, _ = await asyncio.to_thread(_pool, installation, {failing.address: 1, spare.address: 0})
        statuses = Counter([(await call(port, chat(tenant.key))).status for _ in range(12)])
    assert statuses == {200: 12}
    assert (len(failing.secrets), len(spare.secrets)) == (5, 12)


# Retries


async def test_a_call_is_tried_again_as_often_as_the_operator_wants(installation: Installation, port: int):
    async with backends([answer(503, "retry-after: 0")] * 2) as (flaky,):
        tenant = await asyncio.to_thread(installation.tenant, sandbox=flaky.address, monthly_cap="1000")
        before = await call(port, chat(tenant.key))
        flaky.answers = [answer(503, "retry-after: 0")] * 2
        await asyncio.to_thread(installation.desk, "set_retries", organization=tenant.organization, number=2)
        seen = await _until(port, tenant, 200)
    assert before.status == 503
    assert len(flaky.secrets) == 4
    record = await asyncio.to_thread(_record, installation, seen)
    assert [each["status"] for each in record["attempts"]] == [503, 503, 200]
    assert (record["result"], record["output_tokens"]) == (Result.SERVED, 40)


async def _until(port: int, tenant: Tenant, status: int) -> Seen:
    """The first call after a change that every process has heard of within a second."""
    await asyncio.sleep(1.0)
    seen = await call(port, chat(tenant.key))
    assert seen.status == status
    return seen


async def test_helicones_headers_ask_for_retries(installation: Installation, port: int):
    asking = {"helicone-retry-enabled": "true", "helicone-retry-num": "2", "helicone-retry-min-timeout": "10"}
    async with backends([answer(500), answer(429, "retry-after-ms: 20"), answer(500)]) as (flaky,):
        tenant = await asyncio.to_thread(installation.tenant, sandbox=flaky.address)
        ask = chat(tenant.key)
        seen = await call(port, replace(ask, headers=ask.headers | asking))
    assert (seen.status, len(flaky.secrets)) == (500, 3)


async def test_who_hangs_up_is_not_waited_for(installation: Installation, port: int):
    async with backends([answer(503, "retry-after: 1")] * 9) as (flaky,):
        tenant = await asyncio.to_thread(installation.tenant, sandbox=flaky.address)
        await asyncio.to_thread(installation.desk, "set_retries", organization=tenant.organization, number=5)
        ask = chat(tenant.key)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask.raw)
        await asyncio.sleep(0.3)
        writer.close()
        await asyncio.sleep(2.0)
        assert len(flaky.secrets) <= 2
