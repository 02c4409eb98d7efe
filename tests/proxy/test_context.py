"""Who a call is for, and what it says of itself."""

import hashlib

import pytest

from apps.proxy.context import (
    NOTHING_SAID,
    PROPERTIES_DROPPED,
    PROPERTY_DROPPED,
    USER_SHORTENED,
    Context,
    read_context,
)

USERS = [  # Helicone's header, ours, the body, who it is
    pytest.param(b"ada", b"bob", "cem", "ada", id="helicone-first"),
    pytest.param(None, b"bob", "cem", "bob", id="then-ours"),
    pytest.param(None, None, "cem", "cem", id="then-the-body"),
    pytest.param(b"", b"", "cem", "cem", id="empty-headers-say-nothing"),
    pytest.param(b"  ", b"bob", None, "bob", id="blank-ones-neither"),
    pytest.param(None, None, "", None, id="nobody"),
    pytest.param(None, None, "   ", None, id="a-blank-body-is-nobody"),
    pytest.param(None, None, None, None, id="nothing-said"),
    pytest.param(b" ada@example.com ", None, None, "ada@example.com", id="trimmed"),
    pytest.param(b"Ada", None, "ada", "Ada", id="case-matters"),
    pytest.param("Zoë 漢 🚀".encode(), None, None, "Zoë 漢 🚀", id="utf-8-as-sent"),
    pytest.param(b"Zo\xeb", None, None, "Zoë", id="latin-1-as-it-once-was"),
    pytest.param(b"undefined", None, None, "undefined", id="a-word-like-any-other"),
    pytest.param(None, None, "a\x00b", "ab", id="postgresql-holds-no-nul"),
]


@pytest.mark.parametrize(("helicone", "ours", "body", "user"), USERS)
def test_the_end_user_is_who_the_first_of_these_says(helicone, ours, body, user):
    extra = {b"helicone-user-id": helicone, b"tollgate-user-id": ours}
    context = read_context({name: value for name, value in extra.items() if value is not None})
    assert context.with_end_user(body).end_user == user


def test_an_id_of_512_bytes_is_kept_whole():
    user = "é" * 256
    assert NOTHING_SAID.with_end_user(user) == Context(end_user=user)


@pytest.mark.parametrize("user", ["u" * 513, "é" * 257, "u" + "漢" * 3000])
def test_a_longer_one_is_kept_by_its_beginning_and_a_hash_and_flagged(user):
    raw = user.encode()
    context = NOTHING_SAID.with_end_user(user)
    start, _, digest = context.end_user.partition("…")
    assert raw.startswith(start.encode())
    assert 445 < len(start.encode()) <= 448
    assert digest == hashlib.sha256(raw).hexdigest()[:32]
    assert len(context.end_user.encode()) <= 512
    assert context.warnings == USER_SHORTENED


def test_two_long_ids_that_begin_alike_stay_two():
    one, other = ("u" * 600 + end for end in "ab")
    assert NOTHING_SAID.with_end_user(one).end_user != NOTHING_SAID.with_end_user(other).end_user


def test_properties_are_read_under_either_name_as_they_were_written():
    extra = {
        b"helicone-property-Plan": b"pro",
        b"tollgate-property-Feature": "résumé".encode(),
        b"helicone-property-empty": b"",
        b"helicone-property-": b"no name",
        b"helicone-propertyx": b"none",
        b"helicone-cache-enabled": b"true",
    }
    assert read_context(extra).properties == [("Plan", "pro"), ("Feature", "résumé"), ("empty", "")]


def test_names_are_the_same_but_for_their_case():
    extra = {b"helicone-property-Plan": b"free", b"tollgate-property-PLAN": b"pro"}
    assert read_context(extra).properties == [("PLAN", "pro")]


def test_thirty_two_are_kept_and_the_client_is_warned_of_the_rest():
    extra = {b"helicone-property-p%d" % number: b"v" for number in range(32)}
    assert (len(read_context(extra).properties), read_context(extra).warnings) == (32, b"")
    extra[b"helicone-property-one-more"] = b"v"
    assert (len(read_context(extra).properties), read_context(extra).warnings) == (32, PROPERTY_DROPPED)
    extra[b"helicone-property-P0"] = b"another value of one that is kept"
    assert dict(read_context(extra).properties)["P0"] == "another value of one that is kept"


@pytest.mark.parametrize(
    ("name", "value", "is_kept"),
    [
        (b"a", b"v" * 512, True),
        (b"a", b"v" * 513, False),
        (b"n" * 128, b"v", True),
        (b"n" * 129, b"v", False),
    ],
)
def test_a_property_is_kept_whole_or_not_at_all(name, value, is_kept):
    context = read_context({b"helicone-property-" + name: value})
    assert context.properties == ([(name.decode(), value.decode())] if is_kept else [])
    assert context.warnings == (b"" if is_kept else PROPERTY_DROPPED)


def test_all_warnings_are_told():
    extra = {b"helicone-property-a": b"v" * 513, b"helicone-property-b": b"v" * 513, b"helicone-user-id": b"u" * 513}
    assert read_context(extra).warnings == PROPERTIES_DROPPED + b"; " + USER_SHORTENED


def test_sessions_and_the_client_s_own_request_id():
    extra = {
        b"helicone-session-id": b"s1",
        b"helicone-session-path": b"/plan/step",
        b"tollgate-session-name": b"Trip",
        b"helicone-request-id": b" mine ",
        b"tollgate-session-id": b"s2",
    }
    assert read_context(extra) == Context(
        session_id="s1", session_path="/plan/step", session_name="Trip", client_request_id="mine"
    )


def test_a_long_session_is_cut_between_characters():
    assert read_context({b"helicone-session-id": "漢".encode() * 400}).session_id == "漢" * 170


def test_nothing_said():
    assert read_context({}) is NOTHING_SAID
    assert read_context({b"helicone-user-id": b""}) == NOTHING_SAID
