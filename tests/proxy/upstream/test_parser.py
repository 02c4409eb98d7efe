"""Answers read from bytes, without a socket."""

import pytest

from apps.proxy.upstream.errors import BadResponse, ConnectionLost
from apps.proxy.upstream.parser import MAX_HEAD, MAX_HEADERS, ResponseParser, Stage

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def body_of(parser: ResponseParser) -> bytes:
    body = b"".join(parser.chunks)
    parser.chunks.clear()
    return body


# wire, status, headers, body, whether the connection can be used again
ANSWERS = [
    pytest.param(OK, 200, [(b"content-length", b"2")], b"ok", True, id="length"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        200,
        [(b"content-length", b"0")],
        b"",
        True,
        id="empty",
    ),
    pytest.param(
        CHUNKED + b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
        200,
        [(b"transfer-encoding", b"chunked")],
        b"abc0123456789",
        True,
        id="chunked",
    ),
    pytest.param(
        CHUNKED + b"1\r\na\r\n0\r\nX-Evil: 1\r\nSet-Cookie: a=b\r\n\r\n",
        200,
        [(b"transfer-encoding", b"chunked")],
        b"a",
        True,
        id="trailers-are-dropped",
    ),
    pytest.param(
        b"HTTP/1.1 429 No\r\nRetry-After: 7\r\nX-Two: a\r\nx-two: b\r\nEmpty:\r\nContent-Length: 1\r\n\r\n!",
        429,
        [
            (b"retry-after", b"7"),
            (b"x-two", b"a"),
            (b"x-two", b"b"),
            (b"empty", b""),
            (b"content-length", b"1"),
        ],
        b"!",
        True,
        id="names-lowered-values-and-order-kept",
    ),
    pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", 204, [], b"", True, id="204"),
    pytest.param(
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        204,
        [(b"content-length", b"5")],
        b"",
        True,
        id="204-length",
    ),
    pytest.param(
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        304,
        [(b"content-length", b"5")],
        b"",
        True,
        id="304",
    ),
    pytest.param(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
        200,
        [(b"content-length", b"2")],
        b"ok",
        True,
        id="interim-answers-are-dropped",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        200,
        [(b"connection", b"close"), (b"content-length", b"2")],
        b"ok",
        False,
        id="connection-close",
    ),
    pytest.param(
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        200,
        [(b"content-length", b"2")],
        b"ok",
        False,
        id="http-1.0",
    ),
    pytest.param(
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        200,
        [(b"connection", b"keep-alive"), (b"content-length", b"2")],
        b"ok",
        True,
        id="http-1.0-keep-alive",
    ),
    pytest.param(
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        200,
        [(b"content-length", b"2")],
        b"ok",
        True,
        id="no-phrase",
    ),
]


@pytest.mark.parametrize(("wire", "status", "headers", "body", "is_reusable"), ANSWERS)
def test_an_answer_is_read_however_it_is_cut(wire, status, headers, body, is_reusable):
    cuts = [(wire,), tuple(wire[i : i + 1] for i in range(len(wire)))]
    cuts += [(wire[:at], wire[at:]) for at in range(1, len(wire))]
    for parts in cuts:
        parser = ResponseParser()
        for part in parts:
            assert parser.stage is not Stage.COMPLETE
            parser.feed(memoryview(part))
        assert (parser.stage, parser.status, parser.headers) == (Stage.COMPLETE, status, headers), parts
        assert body_of(parser) == body, parts
        assert parser.is_reusable is is_reusable, parts


@pytest.mark.parametrize(("wire", "status", "headers", "body", "is_reusable"), ANSWERS)
def test_an_answer_cut_short_at_any_byte_is_lost(wire, status, headers, body, is_reusable):
    for at in range(len(wire)):
        parser = ResponseParser()
        parser.feed(wire[:at])
        with pytest.raises(ConnectionLost):
            parser.feed_eof()


def test_a_body_without_framing_ends_with_the_connection():
    parser = ResponseParser()
    parser.feed(b"HTTP/1.1 200 OK\r\n\r\nabc")
    parser.feed(b"def")
    assert parser.stage is Stage.BODY
    parser.feed_eof()
    assert (parser.stage, body_of(parser), parser.is_reusable) == (Stage.COMPLETE, b"abcdef", False)


def test_answers_follow_one_another():
    parser = ResponseParser()
    for wire in (OK, CHUNKED + b"1\r\na\r\n0\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n", OK):
        parser.expect()
        parser.feed(wire)
        assert (parser.stage, parser.is_reusable) == (Stage.COMPLETE, True)
    assert (parser.status, body_of(parser)) == (200, b"ok")


@pytest.mark.parametrize("framing", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Content-Length: 0"])
def test_the_answer_to_head_has_no_body_and_the_next_one_is_read(framing):
    parser = ResponseParser()
    parser.expect(is_head=True)
    parser.feed(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
    assert (parser.stage, parser.is_reusable) == (Stage.COMPLETE, True)
    parser.expect()
    parser.feed(OK)
    assert (parser.stage, body_of(parser), parser.is_reusable) == (Stage.COMPLETE, b"ok", True)


def test_a_body_sent_in_answer_to_head_spoils_the_connection():
    parser = ResponseParser()
    parser.expect(is_head=True)
    parser.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert (parser.stage, parser.chunks, parser.is_reusable) == (Stage.COMPLETE, [], False)


@pytest.mark.parametrize(
    "excess", [b"H", b"x", b"\0", b"HTTP/1.1 200 OK\r\n", OK, b"\r\nGARBAGE", b"0\r\n\r\n"], ids=repr
)
def test_bytes_after_an_answer_spoil_the_connection_but_not_the_answer(excess):
    for wire in (OK, CHUNKED + b"2\r\nok\r\n0\r\n\r\n"):
        parser = ResponseParser()
        parser.feed(wire + excess)
        assert (parser.stage, parser.status, body_of(parser)) == (Stage.COMPLETE, 200, b"ok")
        assert not parser.is_reusable


TWO_READINGS = [
    pytest.param(b"Content-Length: 2\r\nTransfer-Encoding: chunked", id="length-and-chunked"),
    pytest.param(b"Transfer-Encoding: chunked\r\nContent-Length: 2", id="chunked-and-length"),
    pytest.param(b"Content-Length: 2\r\nContent-Length: 2", id="length-twice"),
    pytest.param(b"Content-Length: 2\r\nContent-Length: 3", id="two-lengths"),
    pytest.param(b"Content-Length: 2, 2", id="length-list"),
    pytest.param(b"Content-Length: +2", id="signed"),
    pytest.param(b"Content-Length: -2", id="negative"),
    pytest.param(b"Content-Length: 0x2", id="hex"),
    pytest.param(b"Content-Length: 2 2", id="two-numbers"),
    pytest.param(b"Content-Length: 99999999999999999999", id="overflow"),
    pytest.param(b"Content-Length : 2", id="space-before-colon"),
    pytest.param(b"Content-Length\t: 2", id="tab-before-colon"),
    pytest.param(b"Transfer-Encoding: gzip, chunked", id="gzip-chunked"),
    pytest.param(b"Transfer-Encoding: chunked, identity", id="chunked-identity"),
    pytest.param(b"Transfer-Encoding: identity", id="identity"),
    pytest.param(b"Transfer-Encoding: gzip", id="gzip"),
    pytest.param(b"Transfer-Encoding: xchunked", id="xchunked"),
    pytest.param(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", id="chunked-twice"),
    pytest.param(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", id="chunked-then-identity"),
    pytest.param(b"Transfer-Encoding:\x0bchunked", id="vertical-tab"),
    pytest.param(b"X: a\r\n b\r\nContent-Length: 2", id="folded"),
    pytest.param(b"X: a\nContent-Length: 2", id="bare-lf"),
    pytest.param(b"X: a\rContent-Length: 2", id="bare-cr"),
    pytest.param(b"X: a\0b\r\nContent-Length: 2", id="nul"),
    pytest.param(b": x\r\nContent-Length: 2", id="no-name"),
    pytest.param(b"no colon\r\nContent-Length: 2", id="no-colon"),
]


@pytest.mark.parametrize("framing", TWO_READINGS)
def test_an_answer_with_two_readings_is_refused(framing):
    wire = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\nok"
    for parts in ((wire,), tuple(wire[i : i + 1] for i in range(len(wire)))):
        parser = ResponseParser()
        with pytest.raises(BadResponse):
            for part in parts:
                parser.feed(part)
        assert parser.stage is not Stage.COMPLETE


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 600 High\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 20 Short\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 2000 Long\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/3.1 200 OK\r\n\r\n",
        b"HTTP/11 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"<html>",
        CHUNKED + b"x\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"2\r\nokk\r\n",
        CHUNKED + b"2\nok\r\n0\r\n\r\n",
        CHUNKED + b"ffffffffffffffffff\r\n",
        CHUNKED + b"\r\n0\r\n\r\n",
    ],
    ids=repr,
)
def test_what_is_no_answer_is_refused(wire):
    with pytest.raises(BadResponse):
        ResponseParser().feed(wire)


def test_what_came_before_a_fault_is_kept():
    parser = ResponseParser()
    with pytest.raises(BadResponse):
        parser.feed(CHUNKED + b"3\r\nabc\r\nzzz\r\n")
    assert body_of(parser) == b"abc"


def test_headers_are_bounded_in_number():
    many = b"".join(b"X-%d: y\r\n" % i for i in range(MAX_HEADERS - 1))
    parser = ResponseParser()
    parser.feed(b"HTTP/1.1 200 OK\r\n" + many + b"Content-Length: 2\r\n\r\nok")
    assert len(parser.headers) == MAX_HEADERS
    with pytest.raises(BadResponse):
        ResponseParser().feed(b"HTTP/1.1 200 OK\r\n" + many + b"One: more\r\nContent-Length: 2\r\n\r\nok")


ENDLESS = [
    pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-Y: zzzzzzzzzzzzzzzzz\r\n", id="headers"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 1000, id="one-header"),
    pytest.param(b"HTTP/1.1 200 ", b"y" * 1000, id="phrase"),
    pytest.param(b"", b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n", id="interim-answers"),
    pytest.param(CHUNKED + b"1\r\na\r\n0\r\n", b"X: yyyyyyyyyyyyyyyyyyyyy\r\n", id="trailers"),
    pytest.param(CHUNKED + b"1\r\na\r\n0\r\nX: ", b"y" * 1000, id="one-trailer"),
    pytest.param(CHUNKED + b"1;", b"y" * 1000, id="chunk-extension"),
]


@pytest.mark.parametrize(("beginning", "more"), ENDLESS)
def test_what_never_ends_is_refused_soon(beginning, more):
    parser = ResponseParser()
    parser.feed(beginning)
    body_of(parser)
    with pytest.raises(BadResponse):
        for _ in range(2 * MAX_HEAD // len(more)):
            parser.feed(more)


def test_a_long_body_in_tiny_chunks_is_not_taken_for_a_long_head():
    parser = ResponseParser()
    parser.feed(CHUNKED)
    for _ in range(MAX_HEAD):
        parser.feed(b"1\r\n")
        parser.feed(b"a\r\n")
        assert body_of(parser) == b"a"
    parser.feed(b"0\r\n\r\n")
    assert parser.is_reusable
