"""Bodies that everybody reads in the same way, and edits that leave every other byte alone."""

import json
import re
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.proxy.protocols.body import (
    MOST_COLONS,
    Span,
    check_unique,
    hides_names,
    last_object,
    model_name,
    replaced,
    spans,
    utf8_length,
    with_first,
)
from apps.proxy.protocols.errors import BadBody

TWICE = [
    pytest.param(b'{"max_tokens":1,"max_tokens":100000}', id="two-values"),
    pytest.param(b'{"max_tokens":1,"max_tokens":1}', id="twice-the-same"),
    pytest.param(b'{"a":1,"max_tokens":1,"b":2,"max_tokens":2}', id="apart"),
    pytest.param(b'{"max_tokens":1,"b":2,"max_tokens":2,"c":3}', id="within"),
    pytest.param(b'{ "max_tokens" : 1 , "max_tokens" : 2 }', id="spaces"),
    pytest.param(b'{"max_tokens":1,"max_t\\u006fkens":2}', id="one-in-escapes"),
    pytest.param(b'{"max_t\\u006fkens":1,"max_tokens":2}', id="the-other-in-escapes"),
    pytest.param(b'{"a":"b","a":"b","a":"b"}', id="three"),
    pytest.param(b'{"a":{"x":1},"a":{"x":1}}', id="objects"),
    pytest.param(b'{"a":"1,\\"a\\":2","a":"1"}', id="a-value-that-looks-like-a-key"),
    pytest.param(b'{"":1,"":2}', id="keys-without-a-name"),
    pytest.param(b'{"a":1,"a":12}', id="numbers-that-begin-alike"),
    pytest.param(b'{"a":12,"a":1}', id="and-the-other-way-round"),
    pytest.param(b'{"a":1 ,"a":1}', id="with-one-space"),
]


@pytest.mark.parametrize("body", TWICE)
def test_a_key_that_stands_twice_is_refused(body):
    with pytest.raises(BadBody, match="twice"):
        check_unique(body)
    with pytest.raises(BadBody, match="twice"):
        spans(body)


@pytest.mark.parametrize("body", [b'{"max_tokens":1,"MAX_TOKENS":9}', b'{"Model": "a", "model": "b"}'])
def test_keys_alike_but_for_their_case_are_refused(body):
    with pytest.raises(BadBody, match="case"):
        check_unique(body)


ONCE = [
    b"{}",
    b" { } ",
    b'{"a":1}',
    b'{"model":"gpt-4o","messages":[{"role":"user","content":"model"},{"role":"user"}],"user":"user"}',
    b'{"a": 1, "b": [1, 2], "c": {"a": 1, "a": 2}}',  # below the top level nothing is ours
    b'{"a":"\\"a\\":1,","b":"}"}',
    '{"ключ":"значение","键":1}'.encode(),
    b'{"\\u006dodel":"gpt-4o"}',
    b'{"a":1.0e3,"b":-0,"c":null,"d":true}\n',
    b'{"a\\"":1,"a":2,"a\\\\":3}',
]


@pytest.mark.parametrize("body", ONCE)
def test_other_bodies_are_not(body):
    check_unique(body)
    found = spans(body)
    assert {key: body[span.start : span.end] for key, span in found.items()} == {
        key: bytes(raw) for key, raw in msgspec.json.decode(body, type=dict[str, msgspec.Raw]).items()
    }


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.lists(st.tuples(st.sampled_from(["a", "b", "model", "é", 'q"', "n\\"]), VALUES), min_size=1, max_size=5)
STYLES = st.sampled_from(
    [
        {"separators": (",", ":")},
        {},
        {"separators": (" , ", " : ")},
        {"separators": (",", ":"), "ensure_ascii": False},
    ]
)


@given(members=MEMBERS, style=STYLES)
def test_a_body_is_refused_if_and_only_if_a_key_stands_twice(members, style):
    def dump(value: object) -> str:
        return json.dumps(value, **style)

    comma, colon = style.get("separators", (", ", ": "))
    body = ("{" + comma.join(dump(key) + colon + dump(value) for key, value in members) + "}").encode()
    keys = [key for key, _ in members]
    if len(set(keys)) < len(keys):
        with pytest.raises(BadBody):
            check_unique(body)
    else:
        check_unique(body)
        found = spans(body)
        assert {key: json.loads(body[span.start : span.end]) for key, span in found.items()} == dict(members)


def test_a_million_keys_are_refused_before_they_take_memory():
    body = b"{" + b",".join(b'"%d":1' % number for number in range(1_000_000)) + b"}"
    began = time.process_time()
    with pytest.raises(BadBody) as refused:
        check_unique(body)
    assert refused.value.status == 413
    assert time.process_time() - began < 0.1


def test_long_conversations_are_not():
    messages = [{"role": "user", "content": "tell me: " * 20}] * (MOST_COLONS // 50)
    check_unique(msgspec.json.encode({"model": "m", "messages": messages}))


def test_one_value_is_replaced_and_nothing_else():
    body = b' {"a" : "x" ,\n"model":  "old\\u0041" , "z":[1]} '
    assert replaced(body, spans(body)["model"], b'"new"') == b' {"a" : "x" ,\n"model":  "new" , "z":[1]} '
    assert spans(body)["a"] == Span(8, 11)


def test_a_member_is_put_in_front():
    assert with_first(b'\n { "a":1}', b'"b":2') == b'\n {"b":2, "a":1}'


@pytest.mark.parametrize("name", ["gpt-4o", "meta-llama/Llama-3.3-70B", "ft:gpt-4o:org::id", "модель", "m" * 256])
def test_names_of_models(name):
    assert model_name(name) == name


def test_no_model():
    assert model_name(None) == model_name("") == ""


@pytest.mark.parametrize("name", ["m" * 257, "gpt\x00", "a\nb", "\ud800"])
def test_what_can_be_no_model_s_name_is_refused(name):
    with pytest.raises(BadBody) as refused:
        model_name(name)
    assert refused.value.param == "model"


USAGE_KEY = re.compile(rb'"usage"\s*:\s*(?=\{)')


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b'..."usage":{"a":1}}', b'{"a":1}'),
        (b'"usage" : {"a":{"b":2}},"x":1', b'{"a":{"b":2}}'),
        (b'"usage":{"a":1},"more":{"usage":{"a":2}}', b'{"a":2}'),
        (b'"usage":{"a":"}\\"}"}', b'{"a":"}\\"}"}'),
        (b'"usage":null', None),
        (b'"usage":{"a":1', None),
        (b'{"text":"\\"usage\\":{}"}', None),
        (b"", None),
    ],
)
def test_the_last_object_of_that_name_is_found(raw, found):
    assert last_object(raw, USAGE_KEY) == found


@pytest.mark.parametrize(
    ("strings", "length"),
    [
        ([b"abc", b"de"], 5),
        (["é".encode()], 2),
        ([b"\\u00e9\\n"], 3),
        ([b"\\ud83d", b"\\ude80"], 4),
        ([b"\\ud83d"], 6),
        ([b"cut\\"], 4),
        ([], 0),
    ],
)
def test_bytes_of_text_are_counted_as_they_are_meant(strings, length):
    assert utf8_length(strings) == length


NAMES = [
    pytest.param(b'{"file_id":"f"}', False, id="as everybody writes it"),
    pytest.param(rb'{"file\u005fid":"f"}', True, id="with a letter escaped"),
    pytest.param(rb'{"a":"caf\u00e9 \u003cb\u003e \u0027"}', False, id="what some SDKs escape in text"),
]


@pytest.mark.parametrize(("body", "hides"), NAMES)
def test_names_cannot_be_hidden_by_escapes(body: bytes, hides: bool):
    assert hides_names(body) is hides
