"""Rules about headers, as tables."""

import pytest

from apps.proxy.judgement import is_host, judge, lowered, named_by, size_of
from apps.proxy.refusals import Refusal

NAMES = [
    (b"Content-Type", b"content-type"),
    (b"Helicone-Property-Plan", b"helicone-property-Plan"),
    (b"TOLLGATE-PROPERTY-FeatureName", b"tollgate-property-FeatureName"),
    (b"helicone-property-", b"helicone-property-"),
    (b"Helicone-Propertyx", b"helicone-propertyx"),
    (b"Helicone-User-Id", b"helicone-user-id"),
    (b"X_Org", b"x_org"),
    (b"H", b"h"),
]


@pytest.mark.parametrize(("sent", "kept"), NAMES)
def test_names(sent, kept):
    assert lowered(sent) == kept


CONNECTIONS = [
    (b"close", []),
    (b"Keep-Alive", []),
    (b"keep-alive, Upgrade, TE", []),
    (b"X-A", [b"x-a"]),
    (b" x-a ,close,,X-B\t", [b"x-a", b"x-b"]),
    (b"Host, Content-Length, Transfer-Encoding, Connection, Expect", []),
    (b"Authorization", [b"authorization"]),
    (b"", []),
]


@pytest.mark.parametrize(("connection", "named"), CONNECTIONS)
def test_headers_named_by_connection(connection, named):
    assert named_by(connection) == frozenset(named)


@pytest.mark.parametrize("host", [b"a", b"a.b-c_d", b"A:1", b"127.0.0.1:65535", b"[::1]", b"[2001:db8::1]:443", b"a."])
def test_hosts(host):
    assert is_host(host)


@pytest.mark.parametrize(
    "host", [b"", b":80", b"a:", b"a:65536", b"a:1:2", b"::1", b"[::1", b"a/b", b"a b", b"a,b", b"a@b", b"a\n"]
)
def test_what_is_no_host(host):
    assert not is_host(host)


HOST = (b"host", b"h")
JUDGEMENTS = [  # headers, version, what is found
    ([HOST], "1.1", (b"h", None, False, False)),
    ([], "1.0", (None, None, False, False)),
    ([HOST, (b"content-length", b"0")], "1.1", (b"h", None, True, False)),
    ([HOST, (b"transfer-encoding", b"Chunked ")], "1.1", (b"h", None, True, False)),
    ([HOST, (b"expect", b"100-Continue")], "1.1", (b"h", None, False, True)),
    ([HOST, (b"expect", b"x")], "1.1", (b"h", None, False, False)),
    ([HOST, (b"connection", b"a"), (b"connection", b"b")], "1.1", (b"h", b"a,b", False, False)),
]


@pytest.mark.parametrize(("headers", "version", "found"), JUDGEMENTS)
def test_what_is_found(headers, version, found):
    assert judge(headers, version, None, 10) == found


REFUSALS = [
    ([], "1.1", 400),
    ([HOST, HOST], "1.1", 400),
    ([HOST], "2.0", 400),
    ([(b"host", b"")], "1.0", 400),
    ([HOST, (b"content-length", b"11")], "1.1", 413),
    ([HOST, (b"transfer-encoding", b"gzip, chunked")], "1.1", 400),
    ([HOST, (b"transfer-encoding", b"chunked")], "1.0", 400),
]


@pytest.mark.parametrize(("headers", "version", "status"), REFUSALS)
def test_what_is_refused(headers, version, status):
    for known_host in (None, b"h"):
        with pytest.raises(Refusal) as refusal:
            judge(headers, version, known_host, 10)
        assert refusal.value.status == status


def test_a_host_found_valid_once_is_believed_only_as_it_was():
    assert judge([HOST], "1.1", b"h", 10)[0] == b"h"
    with pytest.raises(Refusal):
        judge([(b"host", b"h/")], "1.1", b"h", 10)


def test_size_is_that_on_the_wire():
    assert size_of([(b"a", b"bc"), (b"host", b"")]) == len(b"a: bc\r\nhost: \r\n")
