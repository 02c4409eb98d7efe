"""Hearing of changes: PostgreSQL's LISTEN, and Redis pub/sub as the second way. Knows no Django."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

import redis.asyncio
from psycopg import AsyncConnection, Error
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

CHANNEL = "tollgate_grants"
PING_S = 1.0
PATIENCE_S = 2.0
RECONNECT_S = 0.5


class DatabaseListener:
    """Calls `on_notice` for each notice, and `on_connect` whenever notices may have been missed before."""

    def __init__(
        self, conninfo: Mapping[str, str], on_notice: Callable[[str], None], on_connect: Callable[[], None]
    ) -> None:
        self._conninfo = conninfo
        self._on_notice = on_notice
        self._on_connect = on_connect

        self.is_connected = False
        self.heard_at = time.monotonic()  # until then nothing can have been missed

    def __repr__(self) -> str:
        return f"<DatabaseListener {'connected' if self.is_connected else 'cut'}>"

    async def run(self) -> None:
        """Listen for ever, connecting anew whenever the connection ends or stops answering."""
        while True:
            try:
                await self._listen()
            except (Error, OSError, TimeoutError) as error:
                if self.is_connected:
                    logger.warning("cut off from PostgreSQL's notices: %s", type(error).__name__)
                self.is_connected = False
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            connection = await AsyncConnection.connect(**self._conninfo, autocommit=True)  # type: ignore[arg-type]
        async with connection:
            await self._ask(connection, f"LISTEN {CHANNEL}")
            self._on_connect()  # not before LISTEN holds: what changed until then is read from the tables
            self.is_connected = True
            logger.info("listening to PostgreSQL's notices")
            while True:
                self.heard_at = time.monotonic()
                async for notice in connection.notifies(timeout=PING_S):
                    self._on_notice(notice.payload)
                await self._ask(connection, "SELECT 1")  # a connection that is cut doesn't tell by itself

    @staticmethod
    async def _ask(connection: AsyncConnection, statement: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await connection.execute(statement)


class RedisListener:
    """Calls `on_notice` for each notice. What it misses while cut, the database's listener hears."""

    def __init__(self, url: str, on_notice: Callable[[str], None]) -> None:
        self._url = url
        self._on_notice = on_notice

    async def run(self) -> None:
        """Listen for ever, connecting anew whenever the connection ends."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        client = redis.asyncio.from_url(self._url, socket_connect_timeout=PATIENCE_S, socket_keepalive=True)
        async with client, client.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(CHANNEL)
            async for message in subscription.listen():
                self._on_notice(message["data"].decode())
