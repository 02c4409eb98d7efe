"""Headers that a connection has sent before are not read again, and others are."""

import pytest

from apps.keys.token import digest
from apps.proxy.context import read_context
from apps.proxy.headers import read_request
from apps.proxy.memo import Memo

HEADERS = [
    (b"host", b"api.example.com"),
    (b"authorization", b"Bearer tg_live_one"),
    (b"content-length", b"120"),
    (b"content-type", b"application/json"),
    (b"helicone-user-id", b"ada"),
]


def with_(name: bytes, value: bytes):
    return [(each, value if each == name else said) for each, said in HEADERS]


def without(name: bytes):
    return [header for header in HEADERS if header[0] != name]


@pytest.fixture
def memo() -> Memo:
    memo = Memo()
    memo.read(HEADERS)
    return memo


OTHERS = [
    pytest.param(with_(b"authorization", b"Bearer tg_live_two"), id="another key"),
    pytest.param(with_(b"helicone-user-id", b"bob"), id="another user"),
    pytest.param(with_(b"content-type", b"text/plain"), id="another type"),
    pytest.param(without(b"authorization"), id="no key"),
    pytest.param(without(b"helicone-user-id"), id="no user"),
    pytest.param(without(b"content-length"), id="no length"),
    pytest.param([*HEADERS, (b"helicone-property-plan", b"pro")], id="one more"),
    pytest.param([(b"content-length", b"120"), *without(b"content-length")], id="the length elsewhere"),
    pytest.param([*HEADERS[:2], (b"helicone-auth", b"Bearer tg_live_two"), *HEADERS[3:]], id="a key in its place"),
    pytest.param([], id="none"),
]


@pytest.mark.parametrize("headers", OTHERS)
def test_other_headers_are_read_anew(memo: Memo, headers):
    head = read_request(headers)
    expected = (head, read_context(head.extra), digest(head.key) if head.key else b"")
    assert memo.read(headers) == expected
    assert memo.read(HEADERS) == Memo().read(HEADERS)


@pytest.mark.parametrize("headers", [HEADERS, with_(b"content-length", b"7")], ids=["the same", "another length"])
def test_what_is_known_is_not_read_again(memo: Memo, headers):
    assert memo.read(list(headers)) is memo.read(HEADERS)


def test_headers_without_a_length_are_known_too():
    memo = Memo()
    assert memo.read(without(b"content-length")) is memo.read(without(b"content-length"))
