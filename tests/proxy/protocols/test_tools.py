"""What tools are charged by the call: counted in answers of every form, bounded by what a request says."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from apps.pricing.rating import Units
from apps.proxy.plain import MOST_PLAIN
from apps.proxy.protocols.base import Ask
from apps.proxy.protocols.errors import BadBody

from . import answers
from .answers import EVENTS, GENERATE, MESSAGES, RESPONSES, STREAM_GENERATE, encode, events, in_two, metered

USAGE = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "a"}}
OPENED = {"id": "ws_2", "type": "web_search_call", "status": "completed", "action": {"type": "open_page", "url": "b"}}
FILES = {"id": "fs_1", "type": "file_search_call", "status": "completed", "queries": ["a"], "results": None}
IMAGE = {
    "id": "ig_1", "type": "image_generation_call", "status": "completed", "action": "generate", "quality": "high",
    "size": "1024x1536", "result": "aGVsbG8=",
}  # fmt: skip
SAID = {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": answers.TRICKY}]}


def ran(container: str, number: int) -> dict[str, Any]:
    return {"id": f"ci_{number}", "type": "code_interpreter_call", "status": "completed", "container_id": container}


OUTPUTS = [  # what a response consists of, what of it is charged by the piece
    pytest.param([SAID], (), id="nothing but words"),
    pytest.param([SEARCH, OPENED, SAID], (("web_search", 1),), id="a page that is opened is not a search"),
    pytest.param([SEARCH, {**SEARCH, "id": "ws_9"}], (("web_search", 2),), id="each search"),
    pytest.param([{**SEARCH, "action": None}], (("web_search", 1),), id="a search without an action"),
    pytest.param([{**SEARCH, "status": "failed"}], (), id="not one that failed"),
    pytest.param([FILES, SEARCH], (("file_search", 1), ("web_search", 1)), id="files"),
    pytest.param([ran("c1", 1), ran("c1", 2), ran("c2", 3)], (("code_interpreter", 2),), id="each container once"),
    pytest.param([IMAGE, SAID], (("image:high:1024x1536", 1),), id="an image, by its quality and size"),
    pytest.param([{"type": "function_call", "name": "web_search_call"}], (), id="a function of the client's own"),
    pytest.param([{"id": 5, "type": "web_search_call"}, FILES], (("file_search", 1),), id="an item of another form"),
]


def whole(output: list[dict[str, Any]], **more: object) -> dict[str, Any]:
    return {"id": "resp_1", "model": "gpt-5", "service_tier": "flex", "output": output, "usage": USAGE, **more}


def stream(output: list[dict[str, Any]], **more: object) -> bytes:
    done = [{"type": "response.output_item.done", "output_index": n, "item": item} for n, item in enumerate(output)]
    created = {"type": "response.created", "response": {"id": "resp_1", "service_tier": "auto", "usage": None}}
    return events(created, *done, {"type": "response.completed", "response": whole(output, **more)}, named=True)


@pytest.mark.parametrize(("output", "units"), OUTPUTS)
def test_tools_of_a_response(output, units):
    plain = metered(RESPONSES, [encode(whole(output))]).usage
    streamed = metered(RESPONSES, [stream(output)], EVENTS).usage
    assert sorted(plain.units) == sorted(streamed.units) == sorted(units)
    assert plain.service_tier == streamed.service_tier == "flex"


def test_tools_of_a_stream_however_it_is_cut():
    for chunks in in_two(stream([SEARCH, ran("c1", 1)])):
        usage = metered(RESPONSES, chunks, EVENTS).usage
        assert (sorted(usage.units), usage.service_tier) == ([("code_interpreter", 1), ("web_search", 1)], "flex")


def test_tools_of_a_stream_that_breaks_off_are_charged():
    cut = stream([SEARCH, SAID]).partition(b"event: response.completed")[0]
    assert metered(RESPONSES, [cut], EVENTS, is_cut=True).usage.units == (("web_search", 1),)


def test_tools_of_an_answer_too_long_to_be_kept():
    long = {**SAID, "content": [{"type": "output_text", "text": "x" * 2 * MOST_PLAIN}]}
    output = [SEARCH, OPENED, FILES, ran("c1", 1), long]
    counted = [("code_interpreter", 1), ("file_search", 1), ("web_search", 1)]
    for usage in (
        metered(RESPONSES, [encode(whole(output))]).usage,
        metered(RESPONSES, [stream(output)], EVENTS).usage,
    ):
        assert (sorted(usage.units), usage.tokens.output, usage.service_tier) == (counted, 7, "flex")


OFFERED = [  # the tool that the request offers, what the answer's items are called
    pytest.param({"type": "web_search"}, SEARCH, "web_search", id="search"),
    pytest.param({"type": "web_search_2025_08_26"}, SEARCH, "web_search", id="search, dated"),
    pytest.param({"type": "web_search_preview"}, SEARCH, "web_search_preview", id="the older search"),
    pytest.param({"type": "web_search_preview_2025_03_11"}, SEARCH, "web_search_preview", id="the older search, dated"),
    pytest.param(
        {"type": "code_interpreter", "container": {"type": "auto", "memory_limit": "4g"}},
        ran("c1", 1),
        "code_interpreter:4g",
        id="a larger container",
    ),
    pytest.param({"type": "code_interpreter", "container": "cntr_1"}, ran("c1", 1), "code_interpreter", id="own"),
]


@pytest.mark.parametrize(("tool", "item", "name"), OFFERED)
def test_the_fee_is_that_of_the_tool_which_was_offered(tool, item, name):
    ask = RESPONSES.wire.read(RESPONSES.operation, encode({"model": "gpt-5", "tools": [tool]}))
    assert metered(RESPONSES, [encode(whole([item]))], ask=ask).usage.units == ((name, 1),)


def test_what_the_provider_counts_itself_goes_before_items():
    usage = {**USAGE, "server_side_tool_usage_details": {"web_search_calls": 3, "x_search_calls": 0}}
    assert metered(RESPONSES, [encode(whole([SEARCH], usage=usage))]).usage.units == (("web_search", 3),)


def test_chat_tells_its_service_tier_plain_and_streamed():
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    plain = {"id": "c", "model": "gpt-5", "service_tier": "priority", "choices": [], "usage": usage}
    chunks = events({**answers.words("a"), "service_tier": "auto"}, {**plain, "usage": usage}, b"[DONE]")
    assert metered(answers.CHAT, [encode(plain)]).usage.service_tier == "priority"
    assert metered(answers.CHAT, [chunks], EVENTS).usage.service_tier == "priority"


def grounded(*queries: str, maps: bool = False) -> dict[str, Any]:
    chunks = [{"web": {"uri": "a"}}, *([{"maps": {"uri": "b"}}] if maps else [])]
    metadata = {"webSearchQueries": list(queries), "groundingChunks": chunks}
    return {"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP", "groundingMetadata": metadata}


GROUNDED = [  # candidates, units
    pytest.param([grounded("a", "b")], {"web_search": 2, "grounded_prompt": 1}, id="two searches"),
    pytest.param([grounded("a", "", "a")], {"web_search": 1, "grounded_prompt": 1}, id="empty ones and twins"),
    pytest.param([grounded()], {}, id="none"),
    pytest.param([grounded(maps=True)], {"grounded_map": 1}, id="maps"),
]


@pytest.mark.parametrize(("candidates", "units"), GROUNDED)
def test_grounding_is_counted_by_search_and_by_prompt(candidates, units):
    answer = {"candidates": candidates, "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}}
    assert dict(metered(GENERATE, [encode(answer)]).usage.units) == units
    again = events(answer, answer)  # a stream says it with each part
    assert dict(metered(STREAM_GENERATE, [again], EVENTS).usage.units) == units


def test_a_service_tier_that_gemini_does_not_tell_is_the_one_asked_for():
    answer = encode({"candidates": [], "usageMetadata": {"promptTokenCount": 3}})
    ask = GENERATE.wire.read(GENERATE.operation, b'{"contents":[],"service_tier":"priority"}')
    assert metered(GENERATE, [answer], ask=ask).usage.service_tier == "priority"
    told = encode({"candidates": [], "usageMetadata": {"promptTokenCount": 3, "serviceTier": "standard"}})
    assert metered(GENERATE, [told], ask=ask).usage.service_tier == ""


BOUNDS: list[Any] = [  # whose, the body's fields, the most that can be charged by the piece
    (RESPONSES, {}, ()),
    (RESPONSES, {"tools": [{"type": "function", "name": "web"}]}, ()),
    (RESPONSES, {"tools": [{"type": "web_search"}]}, (("web_search", 20),)),
    (RESPONSES, {"tools": [{"type": "web_search"}], "max_tool_calls": 3}, (("web_search", 3),)),
    (RESPONSES, {"tools": [{"type": "file_search", "vector_store_ids": []}]}, (("file_search", 20),)),
    (RESPONSES, {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, (("code_interpreter", 1),)),
    (RESPONSES, {"tools": [{"type": "code_interpreter"}], "max_tool_calls": 0}, (("code_interpreter", 0),)),
    (RESPONSES, {"tools": [{"type": "image_generation"}]}, (("image:auto:auto", 5),)),
    (RESPONSES, {"tools": [{"type": "image_generation"}], "max_tool_calls": 2}, (("image:auto:auto", 2),)),
    (
        RESPONSES,
        {"tools": [{"type": "image_generation", "quality": "low", "size": "1024x1024"}], "max_tool_calls": 2},
        (("image:low:1024x1024", 2),),
    ),
    (
        RESPONSES,
        {"tools": [{"type": "image_generation", "model": "gpt-image-2"}], "max_tool_calls": 1},
        (("image:auto:auto", 1), ("image_out:gpt-image-2", 0)),
    ),
    (RESPONSES, {"tools": [{"type": "function", "size": 5}, {"type": "web_search"}]}, (("web_search", 20),)),
    (RESPONSES, {"tools": [5]}, ()),
    (RESPONSES, {"tools": None}, ()),
    (RESPONSES, {"tools": [{"type": "x_search"}, {"type": "web_search"}]}, (("x_search", 20), ("web_search", 20))),
    (MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, (("web_search", 20),)),
    (MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "s", "max_uses": 5}]}, (("web_search", 5),)),
    (MESSAGES, {"tools": [{"type": "web_fetch_20250910", "name": "f"}]}, ()),
    (GENERATE, {"tools": [{"functionDeclarations": []}]}, ()),
    (GENERATE, {"tools": [{"googleSearch": {}}]}, (("web_search", 20), ("grounded_prompt", 1), ("grounded_map", 1))),
    (GENERATE, {"tools": [{"google_search": {}}]}, (("web_search", 20), ("grounded_prompt", 1), ("grounded_map", 1))),
]


@pytest.mark.parametrize(("match", "fields", "units"), BOUNDS)
def test_the_most_that_tools_can_charge(match, fields: dict[str, Any], units: Units):
    ask = match.wire.read(match.operation, encode({"model": "m", **fields}))
    assert (ask.units, ask.finds_input) == (units, bool(units))


def test_a_name_with_escapes_in_it_hides_no_tool():
    body = b'{"model":"m","tools":[{"type":"\\u0077eb_search"}]}'
    assert RESPONSES.wire.read(RESPONSES.operation, body).units == (("web_search", 20),)


TIERS: list[Any] = [
    (RESPONSES, {"service_tier": "priority"}, "priority"),
    (answers.CHAT, {"service_tier": "auto"}, "auto"),
    (answers.CHAT, {"service_tier": None}, ""),
    (MESSAGES, {"speed": "fast"}, "fast"),
    (MESSAGES, {"speed": "fast", "inference_geo": "us"}, "fast+us"),
    (MESSAGES, {"service_tier": "auto"}, ""),  # a commitment that the operator has paid for
    (GENERATE, {"serviceTier": "flex"}, "flex"),
    (GENERATE, {"service_tier": "SERVICE_TIER_PRIORITY"}, "priority"),
]


@pytest.mark.parametrize(("match", "fields", "tier"), TIERS)
def test_the_service_tier_that_is_asked_for(match, fields, tier):
    assert match.wire.read(match.operation, encode({"model": "m", **fields})).service_tier == tier


def test_gemini_takes_one_spelling_of_the_tier():
    with pytest.raises(BadBody, match="serviceTier"):
        GENERATE.wire.read(GENERATE.operation, b'{"serviceTier":"flex","service_tier":"priority"}')


@pytest.mark.parametrize("said", ["NaN", "-0.01", "1e400", "1000000", [1]])
def test_a_cost_that_cannot_be_true_is_not_kept(said):
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "cost": said}
    found = metered(answers.CHAT, [answers.chat(usage)], ask=Ask(provider="openrouter")).usage
    assert (found.provider_cost, found.tokens.total) == (None, 2)


def test_a_cost_is_kept_to_12_places():
    raw = answers.chat({"prompt_tokens": 1, "completion_tokens": 1, "cost": 0}).replace(
        b'"cost":0', b'"cost":0.00014295'
    )
    assert metered(answers.CHAT, [raw]).usage.provider_cost == Decimal("0.000142950000")
    assert msgspec.json.decode(raw)["usage"]["cost"] == 0.00014295
