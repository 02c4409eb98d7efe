"""Every asynchronous test here runs on both event loops; pipes and limiters are stopped after it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvloop
from django.conf import settings

from apps.kit.ids import uuid7
from apps.limits.holds import Hold
from apps.limits.limiter import Limiter
from apps.limits.redis_pipe import RedisPipe, State
from apps.limits.scopes import LimitKeys
from apps.ops.embedded import Home, Server, ephemeral_home, start_redis


def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


async def until(condition: Callable[[], bool], within_s: float = 10.0) -> float:
    """Wait until it holds. Returns how long that took, in seconds."""
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 (what is waited for does not tell)
            await asyncio.sleep(0.005)
    return loop.time() - began_at


async def expire(pipe: RedisPipe, keys: LimitKeys, hold: Hold) -> None:
    """The hold's lifetime passes, without a renewal."""
    for key in (keys.holds, keys.concurrent):
        await pipe.call("ZADD", key, "XX", 0, hold.id)


async def until_open(pipe: RedisPipe) -> float:
    return await until(lambda: pipe.state is State.OPEN)


class OwnRedis:
    """A Redis of this test: it may be frozen, killed, and started again at the same address."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.server: Server
        self.start()

    def start(self) -> None:
        with (self.home.data / "redis.log").open("ab") as log:
            self.server = start_redis(self.home, output=log, is_ephemeral=True)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def socket(self) -> str:
        return urlsplit(self.server.url).path


@pytest.fixture
def own_redis() -> Iterator[OwnRedis]:
    with ephemeral_home() as home:
        redis = OwnRedis(home)
        yield redis
        redis.server.stop()


@pytest.fixture
async def new_pipe() -> AsyncIterator[Callable[..., RedisPipe]]:
    """Makes pipes, connecting but maybe not yet open."""
    async with AsyncExitStack() as stack:

        def make(url: str, *arguments: Any) -> RedisPipe:
            pipe = RedisPipe(url, *arguments)
            pipe.start()
            stack.push_async_callback(pipe.stop)
            return pipe

        yield make


@pytest.fixture
async def new_limiter() -> AsyncIterator[Callable[..., Any]]:
    """Makes limiters that are open: `await new_limiter()`."""
    async with AsyncExitStack() as stack:

        async def make(url: str = "", **options: Any) -> Limiter:
            limiter = Limiter(url or settings.REDIS_URL, **options)
            limiter.start()
            stack.push_async_callback(limiter.stop)
            await until_open(limiter.pipe)
            return limiter

        yield make


@pytest.fixture
async def limiter(new_limiter) -> Limiter:
    return await new_limiter()


@pytest.fixture
def keys() -> LimitKeys:
    return LimitKeys(uuid7().bytes)
