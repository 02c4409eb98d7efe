"""TLS: certificates are checked, sessions taken up again."""

import asyncio
import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apps.proxy.upstream import ConnectFailed, client_context

from .provider import OK, all_of

NOW = datetime.datetime.now(datetime.UTC)


def certificate(path, name: str, *, ends_at: datetime.datetime = NOW + datetime.timedelta(days=1)) -> str:
    """A self-signed certificate and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signed = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=2))
        .not_valid_after(ends_at)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(path)


def server_context(pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["http/1.1", "h2"])
    return context


@pytest.fixture(scope="module")
def pem(tmp_path_factory) -> str:
    return certificate(tmp_path_factory.mktemp("tls") / "localhost.pem", "localhost")


async def test_calls_over_tls_share_a_connection(serve, new_pool, pem):
    seen = []

    async def play(peer):
        seen.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        while True:
            request = await peer.request()
            peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(request.body) + request.body)

    provider = await serve(play, tls=server_context(pem))
    pool = new_pool(tls=client_context(pem))
    for size in (0, 1, 100_000, 3_000_000):
        exchange = await pool.send(provider.origin, b"POST", b"/", [], b"x" * size)
        assert await all_of(exchange) == b"x" * size
    assert seen == ["http/1.1"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_is_taken_up_again(serve, new_pool, pem, version):
    resumed = []

    async def play(peer):
        resumed.append(peer.writer.get_extra_info("ssl_object").session_reused)
        await peer.request()
        peer.write(OK)

    context = server_context(pem)
    context.minimum_version = context.maximum_version = version
    provider = await serve(play, tls=context)
    pool = new_pool(tls=client_context(pem))
    for _ in range(3):
        assert await all_of(await pool.send(provider.origin, b"GET", b"/", [])) == b"ok"
        await asyncio.sleep(0.05)  # until the close is noticed
    assert resumed == [False, True, True]


async def refusal(pool, origin) -> str:
    with pytest.raises(ConnectFailed) as failure:
        await pool.send(origin, b"GET", b"/", [])
    return str(failure.value)


async def never(peer):
    assert not await peer.reader.read(), "a byte of a request went to a server that was not verified"


async def test_a_certificate_of_nobody_we_trust_is_refused(serve, pool, pem):
    provider = await serve(never, tls=server_context(pem))
    assert "self-signed certificate" in await refusal(pool, provider.origin)


async def test_a_certificate_for_another_name_is_refused(serve, new_pool, tmp_path):
    other = certificate(tmp_path / "other.pem", "other.example")
    provider = await serve(never, tls=server_context(other))
    pool = new_pool(tls=client_context(other))
    assert "Hostname mismatch" in await refusal(pool, provider.origin)
    assert "IP address mismatch" in await refusal(pool, provider.origin._replace(host="127.0.0.1"))


async def test_an_expired_certificate_is_refused(serve, new_pool, tmp_path):
    old = certificate(tmp_path / "old.pem", "localhost", ends_at=NOW - datetime.timedelta(days=1))
    provider = await serve(never, tls=server_context(old))
    assert "certificate has expired" in await refusal(new_pool(tls=client_context(old)), provider.origin)


async def test_old_tls_is_refused(serve, new_pool, pem):
    context = server_context(pem)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    provider = await serve(never, tls=context)
    await refusal(new_pool(tls=client_context(pem)), provider.origin)


async def test_https_to_a_server_without_tls_fails_before_a_request_is_sent(serve, new_pool, pem):
    seen = []

    async def plain(peer):
        seen.append(await peer.reader.read(1000))
        peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    provider = await serve(plain)
    pool = new_pool(tls=client_context(pem))
    await refusal(pool, provider.origin._replace(scheme="https"))
    assert b"HTTP" not in seen[0]


def test_the_default_context_verifies():
    context = client_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
