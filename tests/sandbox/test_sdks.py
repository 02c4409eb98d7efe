"""The official SDKs understand the sandbox: what it writes, what it counts, and its errors."""

import anthropic
import openai
import pytest
from google.genai import errors

from tests.wire import scenarios
from tests.wire.scenarios import SCENARIOS, Clients, clients_of

MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-opus-5-5", "google": "gemini-2.5-flash"}


@pytest.fixture
def to(sandbox) -> Clients:
    return clients_of(sandbox, "sk-sandbox-1", MODELS)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_gives_the_same_twice(to, scenario):
    first = scenario(to)
    assert first
    assert scenario(to) == first


def test_chat_tells_text_and_usage(to):
    answer = scenarios.chat(to)
    words = answer["choices"][0]["message"]["content"].split(" ")
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] == len(words)
    assert answer["usage"]["prompt_tokens"] == 2 + 4 + 3  # "Hello.", around a message, around the prompt
    assert answer["usage"]["total_tokens"] == 9 + len(words)


def test_a_stream_says_the_same_as_the_plain_answer(to):
    chunks = scenarios.chat_streamed(to)
    text = "".join(chunk["choices"][0]["delta"]["content"] or "" for chunk in chunks)
    assert text == scenarios.chat(to)["choices"][0]["message"]["content"]
    assert [chunk["usage"] for chunk in chunks] == [None] * len(chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_stream_tells_usage_when_asked(to):
    *chunks, last = scenarios.chat_streamed_with_usage(to)
    assert [chunk["usage"] for chunk in chunks] == [None] * len(chunks)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 70


def test_max_tokens_cut_the_answer_short(to):
    answer = scenarios.chat_with_parts(to)
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["length", "length"]
    assert answer["usage"]["completion_tokens"] == 10


def test_a_tool_is_called_then_answered_with_its_result(to):
    name, arguments, first, second = scenarios.tools(to)
    assert (name, set(arguments)) == ("weather", {"city", "unit"})
    assert arguments["unit"] in ("celsius", "kelvin")
    assert first["choices"][0]["finish_reason"] == "tool_calls"
    assert second["choices"][0]["finish_reason"] == "stop"


def test_responses_come_in_the_documented_order(to):
    kinds = [event["type"].removeprefix("response.") for event in scenarios.responses_streamed(to)]
    deltas = kinds.count("output_text.delta")
    assert deltas
    assert kinds == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * deltas,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_a_response_that_is_cut_short_says_why(to):
    last = scenarios.responses_cut_short(to)[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert last["response"]["usage"]["output_tokens"] == 7


def test_messages_come_in_the_documented_order(to):
    kinds = [event["type"] for event in scenarios.messages_streamed(to)]
    deltas = kinds.count("content_block_delta")
    assert deltas
    assert kinds == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_the_cache_is_counted_beside_the_input(to):
    usage = scenarios.messages_with_cache(to)["usage"]
    cacheable = 220 + 1  # 880 bytes, and the block
    read = cacheable * 3 // 4
    assert usage["cache_read_input_tokens"] == read
    assert usage["cache_creation"]["ephemeral_5m_input_tokens"] == cacheable - read
    assert usage["input_tokens"] == 2 + 4


def test_thoughts_come_before_the_text(to):
    events = scenarios.messages_with_thinking(to)
    begun = [e["content_block"]["type"] for e in events if e["type"] == "content_block_start"]
    assert begun == ["thinking", "text"]


def test_gemini_counts_as_it_goes(to):
    chunks = scenarios.content_streamed(to)
    counts = [chunk["usage_metadata"]["candidates_token_count"] for chunk in chunks]
    assert counts == list(range(1, len(chunks) + 1))
    assert chunks[-1]["candidates"][0]["finish_reason"] == "STOP"


OPENAI_ERRORS = [
    (400, openai.BadRequestError),
    (401, openai.AuthenticationError),
    (403, openai.PermissionDeniedError),
    (404, openai.NotFoundError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (503, openai.InternalServerError),
]
ANTHROPIC_ERRORS = [
    (400, anthropic.BadRequestError),
    (401, anthropic.AuthenticationError),
    (403, anthropic.PermissionDeniedError),
    (404, anthropic.NotFoundError),
    (413, anthropic.RequestTooLargeError),
    (429, anthropic.RateLimitError),
    (500, anthropic.InternalServerError),
    (529, anthropic.OverloadedError),
]


@pytest.mark.parametrize(("status", "raised"), OPENAI_ERRORS)
def test_openai_raises_its_own_class_for_each_status(to, status, raised):
    with pytest.raises(raised) as caught:
        to.openai.chat.completions.create(model=f"error-{status}", messages=[{"role": "user", "content": ""}])
    assert caught.value.status_code == status
    assert caught.value.request_id.startswith("req_")


@pytest.mark.parametrize(("status", "raised"), ANTHROPIC_ERRORS)
def test_anthropic_raises_its_own_class_for_each_status(to, status, raised):
    with pytest.raises(raised) as caught:
        to.anthropic.messages.create(model=f"error-{status}", max_tokens=9, messages=[{"role": "user", "content": ""}])
    assert caught.value.status_code == status


@pytest.mark.parametrize(("status", "raised"), [(429, errors.ClientError), (503, errors.ServerError)])
def test_gemini_raises_its_own_class_for_each_kind(to, status, raised):
    with pytest.raises(raised) as caught:
        to.gemini.models.generate_content(model=f"error-{status}", contents="Hello.")
    assert caught.value.code == status


def test_a_wrong_key_is_refused_as_each_provider_does(sandbox):
    to = clients_of(sandbox, "sk-nobody-knows-0000", MODELS)
    with pytest.raises(openai.AuthenticationError, match=r"Incorrect API key provided: sk-nobod\*+0000") as caught:
        scenarios.chat(to)
    assert caught.value.code == "invalid_api_key"
    with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
        scenarios.messages(to)
    with pytest.raises(errors.ClientError, match="API key not valid") as refused:
        scenarios.content(to)
    assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")


def test_a_missing_field_is_named(to):
    with pytest.raises(openai.BadRequestError) as caught:
        to.openai.chat.completions.create(model="gpt-4o", messages=[], extra_body={"messages": 3})
    assert caught.value.param == "messages"
