import json

import pytest

from apps.bodies.events import said_in
from apps.bodies.kept import BINARY, CUT, EMPTY, NOT_KEPT, OMITTED, WHOLE
from apps.bodies.making import _text_of
from apps.bodies.redaction import READY_MADE, passes_luhn, redactor

from .making import a_policy, kept

ALL = tuple(READY_MADE)


def plain(text: str, *patterns: str, ready: tuple[str, ...] = ALL) -> str:
    return redactor(ready, patterns).redact(text, is_events=False, is_json=False)


TEXTS = [
    ("write to ada.lovelace+x@mail.example.co.uk.", "write to [e-mail address]."),
    ("card 4111 1111 1111 1111 ok", "card [card number] ok"),
    ("card 4111-1111-1111-1111", "card [card number]"),
    ("order 4111 1111 1111 1112", "order 4111 1111 1111 1112"),  # no card's checksum
    ("key sk-proj-abcdefghijklmnop1234_-x", "key [key]"),
    ("Authorization: Bearer abcdefghijklmnopqrstuv", "Authorization: [key]"),
    ("ask-me-anything-about-everything", "ask-me-anything-about-everything"),
    ("AKIAIOSFODNN7EXAMPLE1234", "[key]"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def", "[key]"),
    ("me @ home, 3@5", "me @ home, 3@5"),
]


@pytest.mark.parametrize(("text", "without"), TEXTS)
def test_what_is_ready_made_takes_out_what_it_says(text, without):
    assert plain(text) == without


def test_luhn():
    assert passes_luhn("4111 1111 1111 1111")
    assert not passes_luhn("4111 1111 1111 1112")
    assert not passes_luhn("0000 0000")


def test_nothing_is_taken_out_where_nothing_is_to_be():
    assert plain("ada@example.org", ready=()) == "ada@example.org"


def test_ones_own_patterns_are_searched_everywhere():
    text = "ACME-123456 " * 500  # over the ends of several windows
    assert plain(text, r"ACME-\d{6}") == "[redacted] " * 500


@pytest.mark.parametrize("at", range(1010, 1040))
def test_what_lies_over_the_end_of_a_window_is_found(at):
    assert plain("." * at + " ada@example.org " + "." * 2000) == "." * at + " [e-mail address] " + "." * 2000


def test_overlapping_finds_become_one():
    assert plain("xACME-12ADAy", "ACME-12", "12ADA") == "x[redacted]y"


def in_json(text: str, *patterns: str) -> str:
    return redactor(ALL, patterns).redact(text, is_events=False, is_json=True)


def test_json_stays_json_and_is_read_as_what_it_means():
    body = {"a": "mail:\nada@example.org", "b": [1, {"c": "Bearer " + "x" * 20}], "n": 4111111111111111, "d": "grün"}
    redacted = json.loads(in_json(json.dumps(body)))
    assert redacted == {"a": "mail:\n[e-mail address]", "b": [1, {"c": "[key]"}], "n": "[card number]", "d": "grün"}


def test_escapes_hide_nothing():
    assert json.loads(in_json('{"a":"ada\\u0040example.org"}')) == {"a": "[e-mail address]"}
    assert json.loads(in_json('{"a":"M\\u00fcller"}', "Müller")) == {"a": "[redacted]"}


def test_json_that_is_cut_off_is_searched_to_its_end():
    assert in_json('{"a":"hi","b":"ada@example.org and') == '{"a":"hi","b":"[e-mail address] and'
    assert in_json('{"a":"x\\u00') == '{"a":"x\\u00'


def test_what_is_not_touched_stays_byte_for_byte():
    text = '{ "a" : "caf\\u00e9",\n\t"b":1.50, "big": 123456789012 }'
    assert in_json(text) == text


def events(*contents: str, index: int = 0) -> str:
    made = [json.dumps({"choices": [{"index": index, "delta": {"content": one}}]}) for one in contents]
    return "".join(f"data: {one}\n\n" for one in made)


def test_what_a_stream_cuts_in_pieces_is_found():
    text = events("write to a", "da@ex", "ample", ".org", " now") + "data: [DONE]\n\n"
    redacted = redactor(ALL, ()).redact(text, is_events=True, is_json=False)
    assert said_in(redacted) == ["write to [e-mail address] now"]
    assert redacted.endswith("data: [DONE]\n\n")
    assert "ample" not in redacted


def test_events_without_anything_to_take_out_stay_byte_for_byte():
    text = events("write to", " nobody ") + 'data: {"a" : 1.50}\n\nevent: x\ndata: [DONE]\n\n'
    assert redactor(ALL, ()).redact(text, is_events=True, is_json=False) == text
    redacted = redactor(ALL, ()).redact(text + events("ada@example.org"), is_events=True, is_json=False)
    assert redacted.startswith(text)


def test_answers_that_come_in_turns_are_told_apart():
    text = "".join(events(a, index=0) + events(b, index=1) for a, b in [("ada@", "x"), ("example.org", "y")])
    redacted = redactor(ALL, ()).redact(text, is_events=True, is_json=False)
    assert said_in(redacted) == ["[e-mail address]", "xy"]


def test_a_stream_that_is_an_array_is_read_like_one():
    items = [{"candidates": [{"content": {"parts": [{"text": one}]}}]} for one in ("ada@exam", "ple.org")]
    redacted = in_json(json.dumps(items))
    assert said_in(redacted) == ["[e-mail address]"]


def test_a_line_separator_in_a_text_ends_no_event():
    text = events("a\u2028b ada@example.org").replace("\\u2028", "\u2028")
    assert said_in(redactor(ALL, ()).redact(text, is_events=True, is_json=False)) == ["a\u2028b [e-mail address]"]


# What becomes of a body


def made_of(**fields):
    one = kept(**fields)
    return _text_of(one.request, one.policy)


def test_a_secret_that_the_cap_cuts_in_two_is_taken_out():
    policy = a_policy(most_bytes=1024, ready_made=ALL)
    text, note = made_of(request="x" * 1010 + " ada.lovelace@example.org" + " y" * 3000, policy=policy)
    assert text is not None
    assert text == ("x" * 1010 + " [e-mail address]")[:1024]
    assert (note.state, note.size, note.redactions) == (CUT, 1010 + 25 + 6000, True)


@pytest.mark.parametrize("cut", range(4))
def test_a_character_is_never_cut_in_two(cut):
    text, note = made_of(request="a" * cut + "😀" * 3000, policy=a_policy(most_bytes=1024))
    assert text is not None
    assert "\N{REPLACEMENT CHARACTER}" not in text
    assert len(text.encode()) in range(1021, 1025)
    assert note.state == CUT


STATES = [
    pytest.param({"request": b"\xff\xfe\x00"}, BINARY, id="bytes"),
    pytest.param({"request": ""}, EMPTY, id="nothing"),
    pytest.param({"extra": {b"helicone-omit-request": b"true"}}, OMITTED, id="omitted"),
    pytest.param({"policy": a_policy(keeps_requests=False)}, NOT_KEPT, id="not kept"),
    pytest.param({"extra": {b"helicone-omit-request": b"false"}}, WHOLE, id="not omitted"),
]


@pytest.mark.parametrize(("fields", "state"), STATES)
def test_what_there_is_of_a_body_is_told(fields, state):
    text, note = made_of(**fields)
    assert note.state == state
    assert (text is not None) is (state == WHOLE)
