"""Numbers that no honest client sends: refused before the provider hears of them, or held for in full (M6, M7)."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.faults.verify import open_holds
from tests.proxy.upstream.provider import Provider, always
from tests.rig.calls import chat, gemini, messages
from tests.rig.client import Ask, Seen, call
from tests.rig.desk import MARKUP, RATES
from tests.rig.installation import Installation, Tenant

WIRES = [chat, messages, gemini]
FIELDS = {
    chat: ("max_tokens", "max_completion_tokens", "n"),
    messages: ("max_tokens",),
    gemini: ("maxOutputTokens", "max_output_tokens", "candidateCount"),
}
WRONG = ["-1", "2147483648", "9007199254740992", "9223372036854775808", "18446744073709551616", "1e400", "NaN"]
WRONG += ['"5"', "true", "[5]", "{}", "1.5"]


@pytest.fixture(scope="module")
def tenant(installation: Installation) -> Tenant:
    return installation.tenant(monthly_cap="1000")


def _with(ask: Ask, field: str, value: str) -> Ask:
    """The call with a field as these very bytes."""
    body = json.loads(ask.body)
    body.pop(field, None)
    raw = json.dumps(body)
    said = f'"{field}": {value}'
    if "contents" in body:
        said = f'"generationConfig": {{{said}}}'
    return replace(ask, body=f"{{{said}, {raw[1:]}".encode())


CASES = [(wire, field, value) for wire in WIRES for field in FIELDS[wire] for value in WRONG]


@pytest.mark.parametrize(("wire", "field", "value"), CASES)
def test_what_is_no_count_is_refused(
    installation: Installation, port: int, tenant: Tenant, wire: Callable[..., Ask], field: str, value: str
):
    began = time.monotonic()
    seen = asyncio.run(call(port, _with(wire(tenant.key), field, value)))
    assert seen.status == 400
    error = json.loads(seen.body)["error"]
    assert "JSON" in error["message"] or field in error["message"] or "Expected" in error["message"]
    assert installation.provider_calls(since=began) == []


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(("value", "status"), [("2147483647", 402), ("0", 400)])  # of none the provider has to judge
def test_the_largest_is_held_for_and_the_smallest_holds_nothing(
    installation: Installation, port: int, wire: Callable[..., Ask], value: str, status: int
):
    tenant = installation.tenant(monthly_cap="10")
    seen = asyncio.run(call(port, _with(wire(tenant.key), FIELDS[wire][0], value)))
    assert seen.status == status
    assert open_holds(installation, tenant) == 0


async def test_a_provider_that_charges_more_than_it_may_is_booked_in_full_and_was_the_last(
    installation: Installation, port: int
):
    """M7: the call says 10 tokens at most, the answer has 100,000."""
    usage = {"prompt_tokens": 10, "completion_tokens": 100_000, "total_tokens": 100_010}
    body = json.dumps({"id": "c", "choices": [{"message": {"content": "x"}}], "usage": usage}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    async with Provider(always(head + body)) as provider:
        sandbox = f"http://127.0.0.1:{provider.origin.port}"
        tenant = await asyncio.to_thread(installation.tenant, sandbox=sandbox, monthly_cap="0.5")
        first, second = [await _called(port, tenant) for _ in range(2)]
    assert (first.status, second.status) == (200, 402)
    await asyncio.to_thread(installation.desk, "roll_up")
    (row,) = installation.rows("SELECT * FROM usage_request WHERE end_user = %s", first.nonce)
    cost = (Decimal(RATES["input"]) * 10 + Decimal(RATES["output"]) * 100_000) / 1_000_000
    assert row["price"] == cost * (100 + MARKUP) / 100
    assert json.loads(second.body)["error"]["limit"]["used"] == f"{row['price'].normalize():f}"


async def _called(port: int, tenant: Tenant) -> Seen:
    return await call(port, chat(tenant.key, max_tokens=10))
