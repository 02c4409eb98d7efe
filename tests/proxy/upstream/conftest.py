"""Every asynchronous test here runs on both event loops; providers and pools are closed after it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvloop

from apps.proxy.upstream import Pool

from .provider import Handler, Provider


def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


Serve = Callable[..., Awaitable[Provider]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts providers: `await serve(handler)`. What a handler raised fails the test."""
    async with contextlib.AsyncExitStack() as running:

        async def start(handler: Handler, **settings) -> Provider:
            return await running.enter_async_context(Provider(handler, **settings))

        yield start


@pytest.fixture
async def new_pool() -> AsyncIterator[Callable[..., Pool]]:
    """Makes pools with patience for tests."""
    pools: list[Pool] = []

    def make(**settings) -> Pool:
        patience = {"connect_timeout": 30.0, "first_byte_timeout": 30.0, "idle_timeout": 30.0, "wait_timeout": 30.0}
        pools.append(Pool(**(patience | settings)))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()
    await asyncio.sleep(0)


@pytest.fixture
async def pool(new_pool) -> Pool:
    return new_pool()
