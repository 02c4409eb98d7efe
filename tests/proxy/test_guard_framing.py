"""Request smuggling: whatever is sent, there is one reading of where a request ends, or none."""

import asyncio

import pytest

from apps.proxy.guard import GuardedProtocol

from .guarded import OK, Quick, Recorder, is_closed, served, statuses, talk

POST = b"POST / HTTP/1.1\r\nHost: h\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = [
    pytest.param(POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="length-and-chunked"),
    pytest.param(POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", id="chunked-and-length"),
    pytest.param(POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", id="length-twice"),
    pytest.param(POST + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n", id="two-lengths"),
    pytest.param(POST + b"Content-Length: 3,3\r\n\r\nabc", id="length-list"),
    pytest.param(POST + b"Content-Length: +3\r\n\r\nabc", id="length-with-a-sign"),
    pytest.param(POST + b"Content-Length: -3\r\n\r\nabc", id="negative-length"),
    pytest.param(POST + b"Content-Length: 0x3\r\n\r\nabc", id="hexadecimal-length"),
    pytest.param(POST + b"Content-Length: 3_0\r\n\r\nabc", id="length-with-underscore"),
    pytest.param(POST + "Content-Length: ٣\r\n\r\nabc".encode(), id="length-in-other-digits"),
    pytest.param(POST + b"Content-Length:\r\n\r\nabc", id="empty-length"),
    pytest.param(POST + b"Content-Length : 3\r\n\r\nabc", id="space-before-colon"),
    pytest.param(POST + b" Content-Length: 3\r\n\r\nabc", id="space-before-name"),
    pytest.param(POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", id="xchunked"),
    pytest.param(POST + b"Transfer-Encoding: identity\r\n\r\n", id="identity"),
    pytest.param(POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", id="chunked-identity"),
    pytest.param(POST + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", id="identity-chunked"),
    pytest.param(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="gzip-chunked"),
    pytest.param(
        POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        id="gzip-then-chunked",
    ),
    pytest.param(
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        id="chunked-twice",
    ),
    pytest.param(POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", id="chunked-with-a-parameter"),
    pytest.param(POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", id="vertical-tab"),
    pytest.param(POST + b"Transfer-Encoding: 'chunked'\r\n\r\n0\r\n\r\n", id="quoted"),
    pytest.param(POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", id="space-before-its-colon"),
    pytest.param(POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", id="folded"),
    pytest.param(POST + b"X: a\r\n\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="folded-after-another"),
    pytest.param(POST + b"X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="bare-line-feed"),
    pytest.param(POST + b"X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="bare-carriage-return"),
    pytest.param(POST + b"X: a\0b\r\n\r\n", id="nul-in-value"),
    pytest.param(POST + b"X\0: b\r\n\r\n", id="nul-in-name"),
    pytest.param(POST + b"X(: b\r\n\r\n", id="bracket-in-name"),
    pytest.param(POST + b"no colon\r\n\r\n", id="no-colon"),
    pytest.param(POST + b": no name\r\n\r\n", id="no-name"),
    pytest.param(b"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="http-1.0-chunked"),
    pytest.param(b"POST / HTTP/2.0\r\nHost: h\r\nContent-Length: 0\r\n\r\n", id="http-2.0"),
    pytest.param(b"POST / HTTP/1.2\r\nHost: h\r\nContent-Length: 0\r\n\r\n", id="http-1.2"),
    pytest.param(b"POST / HTTP/0.9\r\nHost: h\r\nContent-Length: 0\r\n\r\n", id="http-0.9"),
    pytest.param(b"POST / http/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", id="small-letters"),
    pytest.param(b"POST /\r\nHost: h\r\n\r\n", id="no-version"),
    pytest.param(b"POST / HTTP/1.1 x\r\nHost: h\r\n\r\n", id="more-after-the-version"),
    pytest.param(b"POST\t/ HTTP/1.1\r\nHost: h\r\n\r\n", id="tab"),
    pytest.param(b"POST /a b HTTP/1.1\r\nHost: h\r\n\r\n", id="space-in-path"),
    pytest.param(b"POST / HTTP/1.1\nHost: h\n\n", id="line-feeds-only"),
    pytest.param(b"PO\0ST / HTTP/1.1\r\nHost: h\r\n\r\n", id="nul-in-method"),
    pytest.param(b"MADEUP / HTTP/1.1\r\nHost: h\r\n\r\n", id="unknown-method"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="http-2-preface"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01", id="tls"),
    pytest.param(b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + NEXT, id="proxy-protocol"),
    pytest.param(
        POST + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 36\r\n\r\n" + NEXT,
        id="upgrade-with-a-body",
    ),
    pytest.param(
        POST + b"Upgrade: h2c\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        id="upgrade-chunked",
    ),
]


@pytest.mark.parametrize("wire", REFUSED)
async def test_a_request_with_two_readings_has_none(wire):
    for parts in (
        (wire + NEXT,),
        (wire, NEXT),
        tuple((wire + NEXT)[i : i + 7] for i in range(0, len(wire + NEXT), 7)),
    ):
        app = Recorder()
        async with served(app) as port:
            answer = await talk(port, *parts, pause_s=0.001)
        assert statuses(answer) == [400]
        assert is_closed(answer)
        assert app.seen == []


# Bodies whose framing breaks after the application has begun with them
BROKEN_BODIES = [
    pytest.param(CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", id="longer-than-said"),
    pytest.param(CHUNKED + b"4\r\nabc\r\n0\r\n\r\n", id="shorter-than-said"),
    pytest.param(CHUNKED + b"3\nabc\n0\n\n", id="line-feeds-only"),
    pytest.param(CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n", id="space-after-size"),
    pytest.param(CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", id="0x"),
    pytest.param(CHUNKED + b"-1\r\n", id="negative"),
    pytest.param(CHUNKED + b"\r\nabc", id="no-size"),
    pytest.param(CHUNKED + b"ffffffffffffffffff\r\nabc", id="overflow"),
    pytest.param(CHUNKED + b"10000000000000003\r\nabc\r\n0\r\n\r\n", id="wraps-round-to-3"),
    pytest.param(CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n", id="line-feed-in-extension"),
    pytest.param(CHUNKED + b"3\r\nabc\r\n0\r\nTransfer-Encoding : x\r\n\r\n", id="bad-trailer"),
    pytest.param(CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n", id="length-in-trailer"),
]


@pytest.mark.parametrize("wire", BROKEN_BODIES)
async def test_a_body_that_breaks_ends_the_connection(wire):
    app = Recorder()
    async with served(app) as port:
        answer = await talk(port, wire + NEXT)
    assert statuses(answer) == [400]
    assert is_closed(answer)
    assert [(seen.path, seen.is_disconnected) for seen in app.seen] == [("/", True)]


async def test_requests_may_follow_one_another_without_waiting():
    app = Recorder()
    wire = CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + POST + b"Content-Length: 2\r\n\r\nok" + NEXT
    async with served(app) as port:
        assert statuses(await talk(port, wire)) == [200, 200, 200]
        assert statuses(await talk(port, *(wire[i : i + 1] for i in range(len(wire))))) == [
            200,
            200,
            200,
        ]
    assert [seen.body for seen in app.seen] == [b"abc", b"ok", b""] * 2


async def test_a_bad_request_behind_a_good_one_spoils_not_its_answer():
    """The earlier answer comes whole; the connection ends without a word about the later request."""

    async def slow(scope, receive, send):
        await asyncio.sleep(2 * Quick.head_timeout)  # the later request's patience is not the earlier one's
        for message in OK:
            await send(message)

    async with served(slow) as port:
        for bad in (
            b"garbage\r\n\r\n",
            POST + b"Content-Length: x\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            POST + b"\0\r\n",
        ):
            answer = await talk(port, NEXT + bad + NEXT)
            assert (statuses(answer), answer[-2:], is_closed(answer)) == ([200], b"ok", True)


async def test_too_many_requests_at_once_on_a_connection_end_it():
    begun = 0

    async def slow(scope, receive, send):
        nonlocal begun
        begun += 1
        await asyncio.sleep(0.1)
        for message in OK:
            await send(message)

    async with served(slow) as port:
        answer = await talk(port, NEXT * 5_000)
    assert statuses(answer) == [200]
    assert is_closed(answer)
    assert begun == 1


async def test_an_upgrade_without_a_body_is_answered_as_if_it_were_none_and_nothing_follows():
    app = Recorder()
    wire = b"GET /h2c HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n"
    async with served(app) as port:
        for parts in ((wire + NEXT,), (wire, NEXT)):
            answer = await talk(port, *parts, pause_s=0.05)
            assert statuses(answer) == [200]
            assert is_closed(answer)
    assert [seen.path for seen in app.seen] == ["/h2c", "/h2c"]


async def test_an_upgrade_that_is_only_mentioned_changes_nothing():
    app = Recorder()
    async with served(app) as port:
        wire = POST + b"Upgrade: h2c\r\nContent-Length: 2\r\n\r\nok"
        assert statuses(await talk(port, wire + NEXT)) == [200, 200]
    assert [seen.body for seen in app.seen] == [b"ok", b""]


async def test_an_answer_before_the_end_of_the_request_does_not_shift_the_next():
    async def early(scope, receive, send):
        for message in OK:
            await send(message)

    body = b"x" * 300_000
    async with served(early) as port:
        answer = await talk(port, POST + b"Content-Length: 300000\r\n\r\n", body + NEXT, pause_s=0.02)
    assert statuses(answer) == [200, 200]


async def test_a_client_that_goes_on_sending_after_its_answer_is_cut_in_the_end():
    class Impatient(GuardedProtocol):
        max_drained = 1_000_000

    async def early(scope, receive, send):
        for message in OK:
            await send(message)

    async with served(early, Impatient) as port:
        answer = await talk(port, POST + b"Content-Length: 9000000\r\n\r\n" + b"x" * 9_000_000)
    assert statuses(answer) in ([200], [])  # the cut may overtake the answer
    assert not is_closed(answer) or statuses(answer) == [200]
