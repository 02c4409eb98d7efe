"""The largest output limit that fits, and where it is put."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pricing.rating import Price, ceiling
from apps.proxy.protocols.base import Operation
from apps.proxy.shortening import can_be_shortened, most_output, shortened

PRICE = Price.parse(1, {"input": "2.5", "output": "10"})

SET = [  # operation, provider, body, what is different after it was set to 99
    ("chat.completions", "openai", {"max_tokens": 500}, {"max_tokens": 99}),
    ("chat.completions", "openai", {"max_completion_tokens": 500}, {"max_completion_tokens": 99}),
    (
        "chat.completions",
        "openai",
        {"max_tokens": 1, "max_completion_tokens": 500},
        {"max_tokens": 99, "max_completion_tokens": 99},
    ),
    ("chat.completions", "openai", {}, {"max_completion_tokens": 99}),
    ("chat.completions", "groq", {}, {"max_tokens": 99}),
    ("chat.completions", "groq", {"max_tokens": None}, {"max_tokens": 99}),
    ("completions", "openai", {}, {"max_tokens": 99}),
    ("responses", "openai", {}, {"max_output_tokens": 99}),
    ("messages", "anthropic", {"max_tokens": 500}, {"max_tokens": 99}),
    ("generateContent", "google", {}, {"generationConfig": {"maxOutputTokens": 99}}),
    (
        "streamGenerateContent",
        "google",
        {"generationConfig": {"temperature": 0.10, "maxOutputTokens": 500}},
        {"generationConfig": {"temperature": 0.10, "maxOutputTokens": 99}},
    ),
    (
        "generateContent",
        "google",
        {"generation_config": {"max_output_tokens": 500}},
        {"generation_config": {"max_output_tokens": 99}},
    ),
]


@pytest.mark.parametrize(("name", "provider", "body", "differs"), SET)
def test_where_the_limit_is_put(name: str, provider: str, body: dict[str, object], differs: dict[str, object]):
    operation = Operation(name, b"/")
    body = {"model": "m", **body}
    assert can_be_shortened(operation)
    assert json.loads(shortened(operation, provider, json.dumps(body).encode(), 99)) == body | differs


def test_all_else_stays_as_it_was_written():
    body = b'{"seed": 12345678901234567890, "top_p": 1.10, "x": "\\u00e9", "max_tokens": 5}'
    assert shortened(Operation("messages", b"/"), "anthropic", body, 9) == (
        b'{"seed":12345678901234567890,"top_p":1.10,"x":"\\u00e9","max_tokens":9}'
    )


def test_what_has_no_output_limit_cannot_be_shortened():
    assert not can_be_shortened(Operation("embeddings", b"/"))
    assert not can_be_shortened(Operation("images.generations", b"/"))


@given(st.integers(0, 10**12), st.integers(0, 10**5), st.integers(1, 8))
def test_the_largest_limit_that_fits(room: int, input_tokens: int, answers: int):
    def cost(output: int) -> int:
        return ceiling(PRICE, input_tokens, output * answers, Decimal(20))

    found = most_output(cost, room)
    if found:
        assert cost(found) <= room
    assert cost(found + 1) > room
