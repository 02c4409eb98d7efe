"""Who made what is kept at providers."""

from collections.abc import AsyncIterator

import pytest
from django.conf import settings
from redis import Redis

from apps.limits.redis_pipe import RedisPipe
from apps.proxy.made import Maker, Makers, MakersUnknown
from tests.limits.conftest import until_open

ACME, EVIL, GLOBEX, INITECH = (bytes([number]) * 16 for number in range(4))


@pytest.fixture
async def pipe() -> AsyncIterator[RedisPipe]:
    pipe = RedisPipe(settings.REDIS_URL)
    pipe.start()
    await until_open(pipe)
    yield pipe
    await pipe.stop()


async def test_a_thing_is_its_makers_for_a_while(pipe: RedisPipe, redis: Redis):
    makers = Makers(pipe, 60)
    await makers.note(ACME, "openai", "resp_1", Maker(GLOBEX))
    assert await makers.of(ACME, "openai", "resp_1") == Maker(GLOBEX)
    (key,) = redis.keys("tollgate:made:*")
    assert 0 < redis.ttl(key) <= 60


async def test_a_thing_that_goes_on_is_told_from_one_that_is_recorded(pipe: RedisPipe):
    makers = Makers(pipe, 60)
    for maker in (
        Maker(GLOBEX, is_awaited=True),
        Maker(GLOBEX),
        Maker(GLOBEX, alias="house"),
        Maker(GLOBEX, is_awaited=True, alias="häus"),
    ):
        await makers.note(ACME, "openai", "resp_1", maker)
        assert await makers.of(ACME, "openai", "resp_1") == maker


@pytest.mark.parametrize(
    ("organization", "provider", "object_id"),
    [(EVIL, "openai", "resp_1"), (ACME, "azure", "resp_1"), (ACME, "openai", "resp_2"), (ACME, "openai", "r" * 500)],
)
async def test_anything_else_is_nobodys(pipe: RedisPipe, organization, provider, object_id):
    makers = Makers(pipe, 60)
    await makers.note(ACME, "openai", "resp_1", Maker(GLOBEX))
    assert await makers.of(organization, provider, object_id) is None


async def test_without_redis_nobody_is_taken_for_the_maker():
    makers = Makers(RedisPipe(settings.REDIS_URL), 60)  # not started
    await makers.note(ACME, "openai", "resp_1", Maker(GLOBEX))  # the call itself is served
    with pytest.raises(MakersUnknown):
        await makers.of(ACME, "openai", "resp_1")
