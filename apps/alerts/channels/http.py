"""A POST to whom we don't trust: to the address that was checked, without redirects, within bounds of time and size."""

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import Timer

from apps.alerts.channels.base import MOST_ANSWER, Outcome
from apps.alerts.channels.guard import NotAllowed, Target, address_for, target_of

IDLE_S = 10.0  # for the connection, and between bytes
ALL_S = 15.0  # for everything: who sends a byte now and then is cut off


class PinnedConnection(HTTPConnection):
    """A connection to an address that is known already; the URL's host is in the Host header and in TLS."""

    def __init__(self, target: Target, address: str) -> None:
        super().__init__(target.host, target.port, timeout=IDLE_S)
        self._target = target
        self._address = address
        self.default_port = 443 if target.is_tls else 80  # of which Host says nothing

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self._target.port), IDLE_S)
        if self._target.is_tls:
            self.sock = _tls().wrap_socket(self.sock, server_hostname=self._target.host)

    def cut(self) -> None:
        """End it from another thread: whoever reads gets an error."""
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
    """Send it and tell what was answered: 2xx is taken, everything else, redirects too, is not."""
    try:
        target = target_of(url)
        connection = PinnedConnection(target, address_for(target))
    except NotAllowed as error:
        return Outcome(False, None, str(error))
    timer = Timer(ALL_S, connection.cut)
    timer.daemon = True
    timer.start()
    try:
        connection.request("POST", target.path, body, {"User-Agent": "Tollgate", "Connection": "close", **headers})
        answer = connection.getresponse()
        return Outcome(200 <= answer.status < 300, answer.status, _beginning(answer))
    except (OSError, HTTPException) as error:
        return Outcome(False, None, f"{type(error).__name__}: {error}"[:MOST_ANSWER])
    finally:
        timer.cancel()
        connection.close()


def _beginning(answer: HTTPResponse) -> str:
    """What one read gives, printable: nobody waits for the rest."""
    text = answer.read1(MOST_ANSWER).decode("utf-8", "replace")
    return "".join(character if character.isprintable() else " " for character in text)[:MOST_ANSWER]


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
