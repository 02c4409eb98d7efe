"""What a client may send: sizes, hosts, targets, headers, and what the application gets to see of it."""

import json

import pytest

from apps.proxy.guard import GuardedProtocol

from .guarded import Recorder, is_closed, served, statuses, talk

END = b"\r\n\r\n"


def get(*headers: bytes, target: bytes = b"/", host: bytes = b"tollgate.example") -> bytes:
    return b"\r\n".join((b"GET %b HTTP/1.1" % target, b"Host: " + host, *headers)) + END


async def test_an_ordinary_request_passes_as_it_is():
    app = Recorder()
    async with served(app) as port:
        wire = b"POST /v1/a%2Fb?x=%20&y HTTP/1.1\r\nHost: h:80\r\nX-A: 1\r\nx-a: 2 \r\nContent-Length: 4\r\n\r\n"
        assert statuses(await talk(port, wire + b"body")) == [200]
    (seen,) = app.seen
    assert (seen.method, seen.path, seen.raw_path, seen.query) == (
        "POST",
        "/v1/a/b",
        b"/v1/a%2Fb",
        b"x=%20&y",
    )
    assert seen.headers == [(b"host", b"h:80"), (b"x-a", b"1"), (b"x-a", b"2 "), (b"content-length", b"4")]
    assert seen.body == b"body"


async def test_a_refusal_says_why_in_a_shape_that_sdks_read():
    async with served(Recorder()) as port:
        answer = await talk(port, get(host=b"a/?x="))
    head, _, body = answer.partition(END)
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 400 Bad Request",
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"connection: close",
    ]
    assert json.loads(body) == {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "code": "bad_host",
            "message": "A request needs one Host header with a valid host.",
            "param": None,
        },
    }


# What is sent, with what status it is refused
REFUSED = [
    pytest.param(b"GET / HTTP/1.1" + END, 400, id="no-host"),
    pytest.param(get(b"Host: other"), 400, id="two-hosts"),
    pytest.param(get(b"Host: tollgate.example"), 400, id="the-same-host-twice"),
    pytest.param(get(host=b""), 400, id="empty-host"),
    pytest.param(get(host=b"a/?x="), 400, id="host-with-a-path"),
    pytest.param(get(host=b"x#@y"), 400, id="host-with-a-fragment"),
    pytest.param(get(host=b"user@host"), 400, id="host-with-a-user"),
    pytest.param(get(host=b"a b"), 400, id="host-with-a-space"),
    pytest.param(get(host=b"a,b"), 400, id="host-list"),
    pytest.param(get(host=b"a:99999"), 400, id="no-such-port"),
    pytest.param(get(host=b"a:"), 400, id="no-port"),
    pytest.param(get(host=b"a:8x"), 400, id="port-not-a-number"),
    pytest.param(get(host=b"[::1"), 400, id="half-an-address"),
    pytest.param(get(host="bücher.example".encode()), 400, id="host-not-ascii"),
    pytest.param(get(host=b"a" * 256), 400, id="long-host"),
    pytest.param(get(target=b"http://evil/admin"), 400, id="absolute-form"),
    pytest.param(get(target=b"http://tollgate.example/"), 400, id="absolute-form-of-ours"),
    pytest.param(get(target=b"*"), 400, id="asterisk"),
    pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: h" + END, 400, id="options-asterisk"),
    pytest.param(b"CONNECT evil:443 HTTP/1.1\r\nHost: evil:443" + END, 400, id="connect"),
    pytest.param(get(target=b"/a#b"), 400, id="fragment"),
    pytest.param(get(target="/ä".encode()), 400, id="path-not-ascii"),
    pytest.param(get(target=b"/" + b"a" * 8192), 414, id="long-url"),
    pytest.param(get(target=b"/?" + b"a" * 8_000_000), 414, id="very-long-url"),
    pytest.param(get(*(b"X-%d: y" % i for i in range(100))), 431, id="101-headers"),
    pytest.param(get(*(b"X-%d: y" % i for i in range(200_000))), 431, id="200000-headers"),
    pytest.param(get(b"X: " + b"y" * 33_000), 431, id="long-header"),
    pytest.param(get(b"X" * 33_000 + b": y"), 431, id="long-name"),
    pytest.param(get(b"X: " + b"y" * 8_000_000), 431, id="very-long-header"),
    pytest.param(get(*(b"X-%d: " % i + b"y" * 1_000 for i in range(33))), 431, id="headers-long-together"),
    pytest.param(get(b"Content-Length: 536870913"), 413, id="body-too-large"),
    pytest.param(get(b"Content-Length: 99999999999999999"), 413, id="body-much-too-large"),
]


@pytest.mark.parametrize(("wire", "status"), REFUSED)
async def test_what_is_refused_never_reaches_the_application(wire, status):
    app = Recorder()
    async with served(app) as port:
        answer = await talk(port, wire)
    assert statuses(answer) == [status]
    assert is_closed(answer)
    assert app.seen == []


ACCEPTED = [
    pytest.param(get(target=b"/" + b"a" * 8191), id="url-at-its-limit"),
    pytest.param(get(*(b"X-%d: y" % i for i in range(99))), id="100-headers"),
    pytest.param(get(b"X: " + b"y" * 32_000), id="headers-below-their-limit"),
    pytest.param(get(host=b"[::1]:8000"), id="ipv6"),
    pytest.param(get(host=b"a_b.example"), id="underscore-in-host"),
    pytest.param(get(host=b"localhost:65535"), id="last-port"),
    pytest.param(b"GET / HTTP/1.0" + END, id="http-1.0-without-host"),
]


@pytest.mark.parametrize("wire", ACCEPTED)
async def test_what_is_within_the_limits_passes(wire):
    async with served(app := Recorder()) as port:
        assert statuses(await talk(port, wire)) == [200]
    assert len(app.seen) == 1


async def test_limits_are_the_same_when_bytes_come_one_by_one():
    async with served(app := Recorder(), GuardedProtocol) as port:
        for wire, status in [(get(b"A: b"), 200), (get(target=b"/#"), 400), (get(host=b"a/b"), 400)]:
            answer = await talk(port, *(wire[i : i + 1] for i in range(len(wire))), pause_s=0.0005, wait_s=0.1)
            assert statuses(answer) == [status]
    assert len(app.seen) == 1


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        (b"Helicone-Property-Plan: Pro", (b"helicone-property-Plan", b"Pro")),
        (b"TOLLGATE-PROPERTY-Feature_Name: x", (b"tollgate-property-Feature_Name", b"x")),
        (b"Helicone-Propertyx: y", (b"helicone-propertyx", b"y")),
        (b"X-Property-Plan: y", (b"x-property-plan", b"y")),
        (b"X_Org: evil", (b"x_org", b"evil")),
        (b"Helicone_Property_Plan: y", (b"helicone_property_plan", b"y")),
    ],
)
async def test_names_are_lowered_but_for_a_propertys_own_and_underscores_stay(sent, seen):
    async with served(app := Recorder()) as port:
        await talk(port, get(sent))
    assert app.seen[0].headers[1:] == [seen]


async def test_headers_that_connection_names_end_here():
    async with served(app := Recorder()) as port:
        for connection in (b"X-Hop, keep-alive", b"x-hop", b"Keep-Alive,X-HOP"):
            wire = get(b"X-Hop: 1", b"X-Stays: 2", b"Connection: " + connection, b"Helicone-Property-A: 3")
            assert statuses(await talk(port, wire)) == [200]
            names = [name for name, _ in app.seen[-1].headers]
            assert names == [b"host", b"x-stays", b"connection", b"helicone-property-A"]


async def test_connection_cannot_take_away_what_was_judged():
    async with served(app := Recorder()) as port:
        wire = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: Host, Content-Length\r\n\r\nok"
        assert statuses(await talk(port, wire)) == [200]
    assert [name for name, _ in app.seen[0].headers] == [b"host", b"content-length", b"connection"]


async def test_trailers_are_never_headers():
    async with served(app := Recorder()) as port:
        wire = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        body = b"2\r\nok\r\n0\r\nAuthorization: evil\r\nX-Org: evil\r\n\r\n"
        assert statuses(await talk(port, wire, body, pause_s=0.02)) == [200]
        assert statuses(await talk(port, wire + body)) == [200]
    for seen in app.seen:
        assert seen.headers == [(b"host", b"h"), (b"transfer-encoding", b"chunked")]
        assert seen.body == b"ok"


async def test_trailers_without_end_are_refused():
    async with served(Recorder()) as port:
        wire = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
        answer = await talk(port, wire, *(b"X-%d: y\r\n" % i * 100 for i in range(200)), pause_s=0.001)
    assert statuses(answer) == [431]


async def test_a_body_over_the_limit_is_refused_while_it_comes():
    class Small(GuardedProtocol):
        max_body = 100_000

    async with served(app := Recorder(), Small) as port:
        wire = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = await talk(port, wire, *[b"c350\r\n" + b"x" * 50_000 + b"\r\n"] * 4)
    assert statuses(answer) == [413]
    assert app.seen[0].is_disconnected


async def test_expect_continue_is_answered_when_the_application_wants_the_body():
    async with served(app := Recorder()) as port:
        wire = b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        assert statuses(await talk(port, wire, b"ok", pause_s=0.05)) == [100, 200]
    assert app.seen[0].body == b"ok"
