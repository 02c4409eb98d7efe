"""TLS to providers: certificates are verified, sessions are taken up again."""

import ssl
from typing import Any

import certifi


class ClientContext(ssl.SSLContext):
    """A client's context that offers the last session it had with the same host.

    A resumed handshake costs a round trip and a signature check less. The event loops have no
    argument for a session, but all of them wrap through this method.
    """

    sessions: dict[str, ssl.SSLSession]

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """As the parent's; `session` is filled in where one is known."""
        host = kwargs.get("server_hostname")
        kwargs["session"] = self.sessions.get(host) if host else None
        return super().wrap_bio(*args, **kwargs)

    def remember(self, host: str, ssl_object: ssl.SSLObject) -> None:
        """Keep the session for the next connection. TLS 1.3 has one only after the first bytes came."""
        if (session := ssl_object.session) is not None and session.has_ticket:
            self.sessions[host] = session


def client_context(cafile: str | None = None) -> ClientContext:
    """A verifying context for HTTP/1.1.

    Trusts `cafile` where given, else the system's certificates (SSL_CERT_FILE and SSL_CERT_DIR are
    heeded), else those of certifi.
    """
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sessions = {}
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if cafile is not None:
        context.load_verify_locations(cafile)
    elif (paths := ssl.get_default_verify_paths()).cafile or paths.capath:
        context.set_default_verify_paths()
    else:
        context.load_verify_locations(certifi.where())
    return context
