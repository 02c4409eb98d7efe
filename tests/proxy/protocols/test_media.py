"""What images cost at most: by the provider's rules, and never by bytes that nobody reads as text."""

import msgspec
import pytest

from apps.proxy.protocols.anthropic import Anthropic
from apps.proxy.protocols.gemini import Gemini
from apps.proxy.protocols.media import ANTHROPIC_IMAGE, GEMINI_IMAGE, OPENAI_IMAGE, OPENAI_LOW_IMAGE
from apps.proxy.protocols.openai import OpenAI
from apps.proxy.protocols.routes import find

DATA = "iVBORw0KGgo=" * 10_000
URL = f"data:image/png;base64,{DATA}"
CHAT = find("POST", b"/v1/chat/completions", []).operation
RESPONSES = find("POST", b"/v1/responses", []).operation
MESSAGES = find("POST", b"/v1/messages", []).operation
GENERATE = find("POST", b"/v1beta/models/gemini-2.5-flash:generateContent", []).operation


def chat(*parts):
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, *parts]}]}


def image(url, **more):
    return {"type": "image_url", "image_url": {"url": url, **more}}


def block(**source):
    return {"type": "image", "source": source}


INLINE = block(type="base64", media_type="image/png", data=DATA)
BLOB = {"mimeType": "image/png", "data": DATA}
SNAKE = {"mime_type": "image/png", "data": DATA}
BOUNDS = [  # wire, operation, body, tokens of its images, characters of their data
    pytest.param(OpenAI(), CHAT, chat(image(URL)), OPENAI_IMAGE, len(URL), id="inline"),
    pytest.param(OpenAI(), CHAT, chat(image("https://x/y.png")), OPENAI_IMAGE, 0, id="by address"),
    pytest.param(OpenAI(), CHAT, chat(image(URL), image(URL)), 2 * OPENAI_IMAGE, 2 * len(URL), id="two"),
    pytest.param(OpenAI(), CHAT, chat(image(URL, detail="low")), OPENAI_LOW_IMAGE, len(URL), id="low detail"),
    pytest.param(
        OpenAI(), CHAT, chat(image(URL, detail="low"), image(URL)), 2 * OPENAI_IMAGE, 2 * len(URL), id="one of two low"
    ),
    pytest.param(
        OpenAI(),
        RESPONSES,
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": URL}]}]},
        OPENAI_IMAGE,
        len(URL),
        id="response",
    ),
    pytest.param(
        OpenAI(),
        RESPONSES,
        {"input": [{"type": "function_call_output", "output": [{"type": "input_image", "image_url": URL}]}]},
        OPENAI_IMAGE,
        len(URL),
        id="what a function gave",
    ),
    pytest.param(
        Anthropic(), MESSAGES, {"messages": [{"content": [INLINE]}]}, ANTHROPIC_IMAGE, len(DATA), id="anthropic"
    ),
    pytest.param(
        Anthropic(),
        MESSAGES,
        {"messages": [{"content": [{"type": "tool_result", "content": [INLINE, block(type="url", url="https://x")]}]}]},
        2 * ANTHROPIC_IMAGE,
        len(DATA),
        id="anthropic, what a tool gave",
    ),
    pytest.param(
        Gemini(), GENERATE, {"contents": [{"parts": [{"inlineData": BLOB}]}]}, GEMINI_IMAGE, len(DATA), id="gemini"
    ),
    pytest.param(
        Gemini(),
        GENERATE,
        {"contents": [{"parts": [{"inline_data": SNAKE}]}]},
        GEMINI_IMAGE,
        len(DATA),
        id="gemini's other spelling",
    ),
]


@pytest.mark.parametrize(("wire", "operation", "said", "tokens", "inline"), BOUNDS)
def test_an_image_costs_what_its_provider_says_at_most(wire, operation, said, tokens, inline):
    body = msgspec.json.encode(said)
    text = wire.input_bound(operation, b"{}") - 2 + len(body) - inline
    assert wire.input_bound(operation, body) == text + tokens


UNBOUND = [
    pytest.param(OpenAI(), CHAT, {"tools": [{"parameters": image(URL)}]}, id="among tools it is text"),
    pytest.param(OpenAI(), CHAT, {"messages": image(URL)}, id="no list of messages"),
    pytest.param(Anthropic(), MESSAGES, {"tools": [{"input_schema": INLINE}]}, id="anthropic, among tools"),
    pytest.param(
        Gemini(), GENERATE, {"contents": [{"parts": [{"inlineData": {"mimeType": "video/mp4"}}]}]}, id="a film"
    ),
    pytest.param(Gemini(), GENERATE, {"tools": [{"inlineData": BLOB}]}, id="gemini, among tools"),
]


@pytest.mark.parametrize(("wire", "operation", "said"), UNBOUND)
def test_what_is_no_image_for_sure_has_no_bound(wire, operation, said):
    body = msgspec.json.encode(said)
    assert wire.input_bound(operation, body) is None


@pytest.mark.parametrize("wire", [OpenAI(), Anthropic(), Gemini()])
def test_words_like_an_image_s_are_text(wire):
    body = msgspec.json.encode({"messages": [{"content": f'the "image" in "inlineData" or "image_url": {URL}'}]})
    assert wire.input_bound(CHAT, body) == wire.input_bound(CHAT, b"{}") - 2 + len(body)
