"""Where Redis is. Knows no Django."""

import asyncio
import ssl
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

Protocol = TypeVar("Protocol", bound=asyncio.Protocol)


class RedisAddress:
    """`redis://`, `rediss://` or `unix://`, with user, password and database number.

    greeting: what is to be said first on a new connection.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        self._socket = unquote(parts.path) if parts.scheme == "unix" else ""
        self._host = parts.hostname or "localhost"
        self._port = parts.port or 6379
        self._tls = ssl.create_default_context() if parts.scheme == "rediss" else None
        database = query.get("db", [""])[0] or ("" if self._socket else parts.path.strip("/"))
        self.greeting: list[tuple[str, ...]] = []
        if parts.password:
            user = (unquote(parts.username),) if parts.username else ()
            self.greeting.append(("AUTH", *user, unquote(parts.password)))
        if database and database != "0":
            self.greeting.append(("SELECT", database))

    def __repr__(self) -> str:
        return f"unix:{self._socket}" if self._socket else f"{self._host}:{self._port}"

    async def connect(self, protocol: Callable[[], Protocol]) -> tuple[asyncio.BaseTransport, Protocol]:
        """Raises OSError."""
        loop = asyncio.get_running_loop()
        if self._socket:
            return await loop.create_unix_connection(protocol, self._socket)
        return await loop.create_connection(protocol, self._host, self._port, ssl=self._tls)
