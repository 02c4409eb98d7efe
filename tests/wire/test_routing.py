"""Several keys for a provider, and retries: a real proxy against a provider that plays what the test says."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import openai
import pytest

from tests.proxy.upstream.provider import Peer, Provider
from tests.rig.calls import chat, gemini, messages
from tests.rig.client import Ask, Seen, call
from tests.rig.desk import MODELS
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import listen, port_of

# 1,000 tokens in at $1.70 a million, 100 out at $7.90, and 20 % on top.
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
PRICE = Decimal("0.002988")
QUICK = {"retry_wait_ms": 50, "retry_most_wait_ms": 5000}


def answer(status: int, *headers: str, **body: object) -> bytes:
    raw = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", "content-type: application/json", f"content-length: {len(raw)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + raw


def refusal(status: int, *headers: str) -> bytes:
    return answer(status, *headers, error={"message": f"no: {status}", "type": "x", "code": f"code_{status}"})


SERVED = answer(
    200,
    id="chatcmpl-1",
    object="chat.completion",
    created=1,
    model=MODELS["openai"],
    choices=[{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}],
    usage=USAGE,
)
CUT = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{"id":"chatcmpl-1",'


@dataclass
class Script:
    """A provider that answers each key with what is scripted for it, in order; the last one again and again."""

    answers: dict[str, list[bytes]]
    seen: list[str] = field(default_factory=list)  # the keys of the calls that came
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, peer: Peer) -> None:
        while True:
            request = await peer.request()
            key = request.headers[b"authorization"].decode().removeprefix("Bearer ").rpartition("-")[2]
            self.seen.append(key)
            self.bodies.append(request.body)
            left = self.answers[key]
            raw = left.pop(0) if len(left) > 1 else left[0]
            peer.write(raw)
            if raw is CUT:
                await peer.flush()
                peer.close()
                return


@pytest.fixture(scope="module")
def port(installation: Installation) -> Iterator[int]:
    with listen() as listener:
        (process,) = installation.proxies(1, fd=listener.fileno())
        yield port_of(listener)
        process.stop()


@dataclass
class Outcome:
    """What came of a call: for the client, at the provider, on record."""

    seen: Seen
    tenant: Tenant
    keys: dict[str, str]  # the ids of the provider keys, by their letters
    row: dict[str, Any]

    @property
    def attempts(self) -> list[tuple[str, int, str]]:
        """Key, status, error."""
        names = {key_id: name for name, key_id in self.keys.items()}
        return [(names[each["provider_key"]], each["status"], each["error_code"]) for each in self.row["attempts"]]

    @property
    def served_by(self) -> str:
        return next(name for name, key_id in self.keys.items() if key_id == str(self.row["provider_key_id"]))


@dataclass
class Routing:
    """A new operator a call: nothing that one test does is known of its keys in the next."""

    installation: Installation
    port: int

    async def run(self, script: Script, *, refusing: str = "", ask: Any = None, **settings: Any) -> Outcome:
        """Make a call with a customer whose keys are those of the script, tried in their order."""
        tenant = self.installation.tenant(monthly_cap="5", max_concurrent=9)
        if settings:
            self.installation.desk("set_up", organization=tenant.organization, **settings)
        async with Provider(script) as provider:
            with listen() as nobody:
                closed = f"http://127.0.0.1:{port_of(nobody)}/v1"
            keys = [
                {
                    "secret": f"sk-{tenant.organization}-{name}",
                    "base_url": closed if name in refusing else f"{provider.origin}/v1",
                    "position": position,
                }
                for position, name in enumerate(script.answers)
            ]
            ids = self.installation.desk("give_keys", customer=tenant.customer, keys=keys)
            make = ask or chat
            seen = await call(self.port, make(tenant.key))
        assert self.installation.desk("roll_up") == []
        (row,) = self.installation.rows(
            "SELECT * FROM usage_request WHERE organization_id = %s", tenant.organization
        )  # one, however often it was tried
        outcome = Outcome(seen, tenant, dict(zip(script.answers, ids, strict=True)), row)
        self.check_settled(outcome)
        return outcome

    def check_settled(self, outcome: Outcome) -> None:
        """Nothing is held any more, and what counts against the cap is the price, once."""
        counted = self.installation.desk("standing", customer=outcome.tenant.customer)
        used = {limit: Decimal(count) for limit, count in counted.items()}
        assert used == {"max_concurrent": 0, "monthly_cap": outcome.row["price"]}


@pytest.fixture
def routing(installation: Installation, port: int) -> Routing:
    return Routing(installation, port)


FAILING = [  # what the first key's call comes to, and how that is on record
    pytest.param([refusal(401)], "", ("a", 401, ""), id="401"),
    pytest.param([refusal(403)], "", ("a", 403, ""), id="403"),
    pytest.param([refusal(429, "retry-after: 40")], "", ("a", 429, ""), id="429"),
    pytest.param([refusal(500)], "", ("a", 500, ""), id="500"),
    pytest.param([refusal(529)], "", ("a", 529, ""), id="529"),
    pytest.param([SERVED], "a", ("a", 0, "provider_unreachable"), id="refused-connection"),
]


@pytest.mark.parametrize(("first", "refusing", "attempt"), FAILING)
async def test_another_key_takes_over(routing: Routing, first, refusing, attempt):
    script = Script({"a": first, "b": [SERVED]})
    outcome = await routing.run(script, refusing=refusing)
    assert outcome.seen.status == 200
    assert json.loads(outcome.seen.body)["usage"] == USAGE
    assert outcome.attempts == [attempt, ("b", 200, "")]
    assert (outcome.served_by, outcome.row["price"], outcome.row["status"]) == ("b", PRICE, 200)
    assert script.seen == (["b"] if refusing else ["a", "b"])
    assert len(set(script.bodies)) == 1


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_fault_of_the_request_is_nobody_elses_business(routing: Routing, status):
    script = Script({"a": [refusal(status)], "b": [SERVED]})
    outcome = await routing.run(script, retries=3, **QUICK)
    assert (outcome.seen.status, script.seen, outcome.attempts) == (status, ["a"], [])
    assert (outcome.served_by, outcome.row["price"]) == ("a", 0)


async def test_what_fails_after_its_first_byte_is_not_tried_again(routing: Routing):
    script = Script({"a": [CUT], "b": [SERVED]})
    outcome = await routing.run(script, retries=3, **QUICK)
    assert script.seen == ["a"]
    assert outcome.attempts == []
    assert outcome.row["error_code"] == "provider_connection_lost"


async def test_a_call_that_may_have_cost_something_is_not_made_again(routing: Routing):
    """It was sent, and the connection ended without a word."""
    script = Script({})

    async def cut(peer: Peer) -> None:
        await peer.request()
        script.seen.append("a")
        peer.close()

    async with Provider(cut) as provider:
        tenant = routing.installation.tenant()
        keys = [{"secret": f"sk-{tenant.organization}-{n}", "base_url": f"{provider.origin}/v1"} for n in "ab"]
        routing.installation.desk("set_up", organization=tenant.organization, retries=3, **QUICK)
        routing.installation.desk("give_keys", customer=tenant.customer, keys=keys)
        seen = await call(routing.port, chat(tenant.key))
    assert (seen.status, script.seen) == (502, ["a"])


ALL_FAIL = [
    pytest.param({"a": [refusal(500)], "b": [refusal(429, "retry-after: 9")]}, "", 429, "code_429", id="429-last"),
    pytest.param({"a": [refusal(429)], "b": [refusal(401)]}, "", 401, "code_401", id="401-last"),
    pytest.param({"a": [refusal(429)], "b": [SERVED]}, "b", 502, "provider_unreachable", id="unreachable-last"),
]


@pytest.mark.parametrize(("answers", "refusing", "status", "code"), ALL_FAIL)
async def test_when_all_keys_fail_the_last_error_comes_back(routing: Routing, answers, refusing, status, code):
    outcome = await routing.run(Script(answers), refusing=refusing)
    assert outcome.seen.status == status
    assert json.loads(outcome.seen.body)["error"]["code"] == code
    assert outcome.seen.headers.get("retry-after") == ("9" if status == 429 else None)
    assert [key for key, _, _ in outcome.attempts] == ["a", "b"]
    assert (outcome.row["price"], outcome.row["error_code"]) == (0, code)


async def test_500_then_200_with_one_key(routing: Routing):
    script = Script({"a": [refusal(500), SERVED]})
    outcome = await routing.run(script, retries=1, **QUICK)
    assert (outcome.seen.status, outcome.row["price"]) == (200, PRICE)
    assert outcome.attempts == [("a", 500, ""), ("a", 200, "")]


async def test_retry_after_is_waited_for(routing: Routing):
    script = Script({"a": [refusal(429, "retry-after: 1"), SERVED]})
    outcome = await routing.run(script, retries=1, **QUICK)
    assert outcome.seen.status == 200
    assert outcome.row["latency_ms"] >= 1000


async def test_a_provider_that_asks_for_too_much_is_not_asked_again(routing: Routing):
    script = Script({"a": [refusal(429, "retry-after: 3600"), SERVED]})
    outcome = await routing.run(script, retries=5, **QUICK)
    assert (outcome.seen.status, outcome.seen.headers["retry-after"], script.seen) == (429, "3600", ["a"])


async def test_every_round_goes_through_the_keys_that_may_still_serve(routing: Routing):
    script = Script({"a": [refusal(401)], "b": [refusal(503), refusal(503), SERVED]})
    outcome = await routing.run(script, retries=2, **QUICK)
    assert outcome.seen.status == 200
    assert script.seen == ["a", "b", "b", "b"]
    assert [status for _, status, _ in outcome.attempts] == [401, 503, 503, 200]


async def test_only_the_chosen_statuses_are_tried_again(routing: Routing):
    script = Script({"a": [refusal(500), SERVED]})
    outcome = await routing.run(script, retries=3, retry_statuses=[429], **QUICK)
    assert (outcome.seen.status, script.seen) == (500, ["a"])


HEADERS = [  # Helicone's headers, how often the provider is called
    ({}, 4),
    ({"helicone-retry-enabled": "true", "helicone-retry-num": "2"}, 3),
    ({"helicone-retry-enabled": "true", "helicone-retry-num": "5"}, 4),
    ({"helicone-retry-enabled": "false"}, 1),
]


@pytest.mark.parametrize(("headers", "times"), HEADERS)
async def test_a_client_may_ask_for_fewer_retries(routing: Routing, headers, times):
    def ask(key: str) -> Ask:
        made = chat(key)
        return replace(made, headers=made.headers | headers)

    script = Script({"a": [refusal(503)]})
    outcome = await routing.run(script, ask=ask, retries=3, retry_wait_ms=50, retry_most_wait_ms=60)
    assert (outcome.seen.status, len(script.seen)) == (503, times)


async def test_a_client_can_ask_for_retries_where_the_operator_wants_none(routing: Routing):
    asking = {"helicone-retry-enabled": "true", "helicone-retry-num": "2", "helicone-retry-min-timeout": "10"}

    def ask(key: str) -> Ask:
        made = chat(key)
        return replace(made, headers=made.headers | asking)

    script = Script({"a": [refusal(503), refusal(500)]})
    outcome = await routing.run(script, ask=ask)
    assert (outcome.seen.status, script.seen) == (500, ["a", "a", "a"])


async def test_a_key_that_was_told_to_wait_rests(routing: Routing):
    script = Script({"a": [refusal(429, "retry-after: 60")], "b": [SERVED]})
    tenant = routing.installation.tenant()
    async with Provider(script) as provider:
        keys = [
            {"secret": f"sk-{tenant.organization}-{name}", "base_url": f"{provider.origin}/v1", "position": position}
            for position, name in enumerate("ab")
        ]
        routing.installation.desk("give_keys", customer=tenant.customer, keys=keys)
        seen = [await call(routing.port, chat(tenant.key)) for _ in range(3)]
    assert [each.status for each in seen] == [200] * 3
    assert script.seen == ["a", "b", "b", "b"]


async def test_a_key_that_keeps_failing_is_left_alone(routing: Routing):
    script = Script({"a": [refusal(401)], "b": [SERVED]})
    tenant = routing.installation.tenant()
    async with Provider(script) as provider:
        keys = [
            {"secret": f"sk-{tenant.organization}-{name}", "base_url": f"{provider.origin}/v1", "position": position}
            for position, name in enumerate("ab")
        ]
        routing.installation.desk("give_keys", customer=tenant.customer, keys=keys)
        seen = [await call(routing.port, chat(tenant.key)) for _ in range(8)]
    assert [each.status for each in seen] == [200] * 8
    assert (script.seen.count("a"), script.seen.count("b")) == (5, 8)


async def test_an_sdk_sees_one_good_answer_under_the_alias(routing: Routing):
    """With an alias: its error names it, and its answer too, whichever key served."""
    told = answer(500, error={"message": f"The model {MODELS['openai']} is overloaded.", "code": "overloaded"})
    script = Script({"a": [told], "b": [SERVED, told]})
    tenant = routing.installation.tenant()
    routing.installation.desk(
        "sell", organization=tenant.organization, name="house", provider="openai", model=MODELS["openai"]
    )
    async with Provider(script) as provider:
        keys = [
            {"secret": f"sk-{tenant.organization}-{name}", "base_url": f"{provider.origin}/v1", "position": position}
            for position, name in enumerate("ab")
        ]
        routing.installation.desk("give_keys", customer=tenant.customer, keys=keys)
        url = f"http://127.0.0.1:{routing.port}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key=tenant.key, max_retries=0) as client:
            words: Any = [{"role": "user", "content": "Hello."}]
            served = await client.chat.completions.create(model="house", messages=words)
            with pytest.raises(openai.InternalServerError, match="The model house is overloaded"):
                await client.chat.completions.create(model="house", messages=words)
    assert served.model == "house"
    assert {json.loads(body)["model"] for body in script.bodies} == {MODELS["openai"]}


@pytest.mark.parametrize("wire", [messages, gemini])
async def test_other_wires_are_retried_too(installation: Installation, port: int, wire):
    tenant = installation.tenant()
    installation.desk("set_up", organization=tenant.organization, retries=2, **QUICK)
    seen = await call(port, wire(tenant.key, words="sandbox:error=503"))
    assert seen.status == 503
    assert installation.desk("roll_up") == []
    (row,) = installation.rows("SELECT attempts FROM usage_request WHERE organization_id = %s", tenant.organization)
    assert [each["status"] for each in row["attempts"]] == [503, 503, 503]
