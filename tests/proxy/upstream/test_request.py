"""The head of a request: what goes out, and what can't."""

import pytest

from apps.proxy.upstream.errors import InvalidRequest
from apps.proxy.upstream.request import encode_head

# method, headers, length of the body, the head, the length to keep to, whether 100 Continue is waited for
HEADS = [
    pytest.param(b"GET", [], 0, b"GET /x?y HTTP/1.1\r\nhost: h:1\r\n\r\n", 0, False, id="get"),
    pytest.param(
        b"POST",
        [],
        0,
        b"POST /x?y HTTP/1.1\r\nhost: h:1\r\ncontent-length: 0\r\n\r\n",
        0,
        False,
        id="empty-post",
    ),
    pytest.param(
        b"POST",
        [(b"a", b"1"), (b"a", b"2"), (b"empty", b"")],
        5,
        b"POST /x?y HTTP/1.1\r\nhost: h:1\r\na: 1\r\na: 2\r\nempty: \r\ncontent-length: 5\r\n\r\n",
        5,
        False,
        id="headers-in-order",
    ),
    pytest.param(
        b"GET",
        [(b"host", b"other")],
        0,
        b"GET /x?y HTTP/1.1\r\nhost: other\r\n\r\n",
        0,
        False,
        id="host-given",
    ),
    pytest.param(
        b"POST",
        [
            (b"connection", b"x"),
            (b"keep-alive", b"5"),
            (b"te", b"trailers"),
            (b"upgrade", b"h2c"),
            (b"trailer", b"t"),
        ],
        1,
        b"POST /x?y HTTP/1.1\r\nhost: h:1\r\ncontent-length: 1\r\n\r\n",
        1,
        False,
        id="hop-by-hop-left-out",
    ),
    pytest.param(
        b"POST",
        [(b"content-length", b"999"), (b"transfer-encoding", b"chunked")],
        1,
        b"POST /x?y HTTP/1.1\r\nhost: h:1\r\ncontent-length: 1\r\n\r\n",
        1,
        False,
        id="framing-is-ours",
    ),
    pytest.param(
        b"POST",
        [],
        None,
        b"POST /x?y HTTP/1.1\r\nhost: h:1\r\ntransfer-encoding: chunked\r\n\r\n",
        None,
        False,
        id="chunked",
    ),
    pytest.param(
        b"PUT",
        [(b"content-length", b"7")],
        None,
        b"PUT /x?y HTTP/1.1\r\nhost: h:1\r\ncontent-length: 7\r\n\r\n",
        7,
        False,
        id="length-said-for-a-stream",
    ),
    pytest.param(
        b"PUT",
        [(b"expect", b"100-Continue")],
        7,
        b"PUT /x?y HTTP/1.1\r\nhost: h:1\r\nexpect: 100-Continue\r\ncontent-length: 7\r\n\r\n",
        7,
        True,
        id="expect",
    ),
    pytest.param(
        b"PUT",
        [(b"expect", b"100-continue")],
        0,
        b"PUT /x?y HTTP/1.1\r\nhost: h:1\r\nexpect: 100-continue\r\ncontent-length: 0\r\n\r\n",
        0,
        False,
        id="expect-without-a-body",
    ),
]


@pytest.mark.parametrize(("method", "headers", "length", "head", "kept", "expects"), HEADS)
def test_heads(method, headers, length, head, kept, expects):
    assert encode_head(method, b"/x?y", b"h:1", headers, length) == (head, kept, expects)


BREAKS = [b"\r\n", b"\n", b"\r", b"\0", b"a\r\nx-evil: 1", b"a\n\nGET / HTTP/1.1"]


@pytest.mark.parametrize("evil", BREAKS, ids=repr)
def test_no_value_ends_its_line(evil):
    for headers in ([(b"authorization", b"Bearer " + evil)], [(b"x" + evil, b"y")], [(b"host", evil)]):
        with pytest.raises(InvalidRequest):
            encode_head(b"GET", b"/", b"h", headers, 0)
    with pytest.raises(InvalidRequest):
        encode_head(b"GET", b"/" + evil, b"h", [], 0)
    with pytest.raises(InvalidRequest):
        encode_head(b"GET" + evil, b"/", b"h", [], 0)


@pytest.mark.parametrize("target", [b"", b"/a b", b"/ HTTP/1.1\r\n\r\nGET /"])
def test_a_target_is_one_word(target):
    with pytest.raises(InvalidRequest):
        encode_head(b"GET", target, b"h", [], 0)


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1 ", b"0x1", b"1,1", b"one", "\u0661".encode()])
def test_a_length_that_is_no_number_is_refused(value):
    with pytest.raises(InvalidRequest):
        encode_head(b"POST", b"/", b"h", [(b"content-length", value)], None)


def test_two_lengths_are_refused():
    with pytest.raises(InvalidRequest):
        encode_head(b"POST", b"/", b"h", [(b"content-length", b"1"), (b"content-length", b"2")], None)
