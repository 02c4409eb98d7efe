"""What goes slowly or goes wrong on demand, and the provider's own record of it."""

import asyncio
import gzip
import json
import time

import pytest

from apps.sandbox.behaviour import USUAL, behaviour_of
from tests.rig.calls import CHAT, a_nonce, gemini, messages
from tests.rig.client import Ask, call, connect
from tests.rig.processes import wait_until

DIRECTIVES = [  # model, prompt, what differs from the usual
    ("gpt-4o", "Hello.", {}),
    ("sandbox-slow", "Hello.", {"first_s": 2.0, "pace_s": 0.1}),
    ("error-429", "Hello.", {"error": 429}),
    ("drop-midstream", "Hello.", {"ends_with": "drop"}),
    ("stall", "Hello.", {"ends_with": "stall"}),
    ("error-429", "no: sandbox:error=500", {"error": 500}),
    ("gpt-4o", "sandbox:tokens=50 sandbox:pace=20", {"tokens": 50, "pace_s": 0.02}),
    ("gpt-4o", "sandbox:tokens=9999999", {"tokens": 100_000}),
    ("gpt-4o", "nonce-0a1b2c, sandbox:fail", {"nonce": "nonce-0a1b2c", "ends_with": "fail"}),
    ("gpt-4o", "sandbox:nothing-such", {}),
]


@pytest.mark.parametrize(("model", "prompt", "changes"), DIRECTIVES)
def test_model_and_prompt_say_how_it_behaves(model, prompt, changes):
    behaviour = behaviour_of(model, prompt)
    assert {name: getattr(behaviour, name) for name in changes} == changes
    assert sum(getattr(behaviour, name) != getattr(USUAL, name) for name in vars(USUAL)) == len(changes)


def an_ask(words: str, *, is_streamed: bool = False, **headers: str) -> Ask:
    nonce = a_nonce()
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"{nonce} {words}"}]}
    if is_streamed:
        body["stream"] = True
    raw = json.dumps(body).encode()
    return Ask(nonce, CHAT, {"authorization": "Bearer sk-sandbox"} | headers, raw)


@pytest.fixture
def port(sandbox) -> int:
    return int(sandbox.rpartition(":")[2])


@pytest.fixture
def lines_of(ledger):
    """What the ledger has of a call: written at its end, when the client may have its answer already."""

    def written(ask: Ask) -> list[dict]:
        lines = [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
        return [line for line in lines if line["nonce"] == ask.nonce]

    def read(ask: Ask) -> list[dict]:
        wait_until(lambda: bool(written(ask)), "the ledger has it", 5.0)
        return written(ask)

    return read


async def test_an_answer_is_in_the_ledger_once(port, lines_of):
    ask = an_ask("Hello.")
    seen = await call(port, ask)
    (line,) = lines_of(ask)
    assert (line["end"], line["status"], line["model"]) == ("complete", 200, "gpt-4o")
    assert line["usage"] == json.loads(seen.body)["usage"]
    assert seen.headers["x-request-id"] == f"req_{line['id']}"


async def test_the_answer_names_its_nonce(port):
    ask = an_ask("Hello.")
    assert ask.nonce in (await call(port, ask)).body.decode()


async def test_anthropic_pings_after_the_first_block_began(port):
    ask = messages("sk-sandbox", is_streamed=True)
    seen = await call(port, ask)
    assert [line for line in seen.body.splitlines() if line.startswith(b"event:")][:3] == [
        b"event: message_start",
        b"event: content_block_start",
        b"event: ping",
    ]


async def test_a_drop_cuts_the_stream_half_way(port, lines_of):
    ask = an_ask("sandbox:drop sandbox:tokens=20", is_streamed=True)
    seen = await call(port, ask)
    assert (seen.status, seen.saw_end) == (200, False)
    assert b"[DONE]" not in seen.body
    (line,) = lines_of(ask)
    assert (line["end"], line["sent"]) == ("dropped", len(seen.body.split(b"\n\n")) - 1)


async def test_a_failure_is_told_in_the_stream(port):
    seen = await call(port, an_ask("sandbox:fail", is_streamed=True))
    assert b'"error":{"message":"Overloaded"' in seen.body


async def test_a_client_that_leaves_is_noted(port, lines_of):
    ask = an_ask("sandbox:pace=50 sandbox:tokens=50", is_streamed=True)
    (line,) = await _left_after(port, ask, 0.3, lines_of)
    assert line["end"] == "cut"
    assert 0 < line["sent"] < line["of"]


async def test_a_stall_sends_nothing_more(port, lines_of):
    ask = an_ask("sandbox:stall sandbox:tokens=20", is_streamed=True)
    (line,) = await _left_after(port, ask, 0.2, lines_of)
    assert (line["end"], line["sent"], line["of"]) == ("cut", 11, 23)


async def _left_after(port, ask, seconds, lines_of):
    """What the ledger has of a call whose client left after `seconds`."""
    connection = await connect(port)
    waiting = asyncio.create_task(connection.call(ask))
    await asyncio.sleep(seconds)
    connection.close()
    await waiting
    return await asyncio.to_thread(lines_of, ask)


async def test_a_paced_stream_takes_its_time(port):
    began = time.monotonic()
    await call(port, an_ask("sandbox:first=100 sandbox:pace=10 sandbox:tokens=20", is_streamed=True))
    assert 0.1 + 22 * 0.01 <= time.monotonic() - began < 2


async def test_gzip_comes_when_asked_for(port):
    ask = an_ask("sandbox:tokens=200", **{"accept-encoding": "br, gzip"})
    seen = await call(port, ask)
    assert seen.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(seen.body))["usage"]["completion_tokens"] == 200
    assert "content-encoding" not in (await call(port, an_ask("sandbox:tokens=200"))).headers


async def test_a_stream_is_gzipped_on_demand(port):
    ask = an_ask("sandbox:gzip", is_streamed=True, **{"accept-encoding": "gzip"})
    seen = await call(port, ask)
    assert gzip.decompress(seen.body).endswith(b"data: [DONE]\n\n")


async def test_gemini_streams_an_array_unless_asked_for_events(port):
    ask = gemini("sk-sandbox", words="sandbox:tokens=3", is_streamed=True)
    as_array = Ask(ask.nonce, ask.target.removesuffix("?alt=sse"), ask.headers, ask.body)
    assert len(json.loads((await call(port, as_array)).body)) == 3
    assert (await call(port, ask)).body.count(b"\r\n\r\n") == 3


@pytest.mark.parametrize(("status", "retry_after"), [(429, "1"), (500, None), (503, "1")])
async def test_an_error_says_when_to_try_again(port, status, retry_after):
    seen = await call(port, an_ask(f"sandbox:error={status}"))
    assert (seen.status, seen.headers.get("retry-after")) == (status, retry_after)


async def test_a_careless_provider_quotes_the_key(port):
    seen = await call(port, an_ask("sandbox:error=401 sandbox:echo-key"))
    assert b"sk-sandbox" in seen.body


async def test_json_that_is_none_is_refused(port):
    ask = Ask("", CHAT, {"authorization": "Bearer sk-sandbox"}, b"{")
    seen = await call(port, ask)
    assert seen.status == 400
    assert b"could not parse the JSON body" in seen.body
