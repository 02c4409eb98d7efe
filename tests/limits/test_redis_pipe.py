"""The pipe on a real Redis, and on one that is slow, frozen, dead, full or mad (RELIABILITY O4, O5)."""

import asyncio
import logging
import signal
import time
from collections.abc import Sequence
from contextlib import asynccontextmanager

import pytest
from django.conf import settings

from apps.limits.redis_pipe import RedisAway, RedisPipe, RedisRefused, RedisUnavailable, State
from tests.limits.conftest import until, until_open
from tests.wire.faultproxy import Fault, FaultProxy

DEADLINE_S = 0.25
SLACK_S = 0.15  # of a busy machine


@pytest.fixture
async def pipe(new_pipe) -> RedisPipe:
    pipe = new_pipe(settings.REDIS_URL)
    await until_open(pipe)
    return pipe


async def outcome_of(future) -> tuple[object, float]:
    """Its result or error, and how long that took."""
    began_at = asyncio.get_running_loop().time()
    (outcome,) = await asyncio.gather(future, return_exceptions=True)
    return outcome, asyncio.get_running_loop().time() - began_at


# A Redis that is well


async def test_a_tick_goes_out_in_one_write(pipe: RedisPipe):
    before = pipe.stats()
    assert await asyncio.gather(*(pipe.call("ECHO", n) for n in range(500))) == [b"%d" % n for n in range(500)]
    after = pipe.stats()
    assert (after.commands - before.commands, after.writes - before.writes) == (500, 1)


async def test_an_error_is_its_own_callers(pipe: RedisPipe):
    calls = [pipe.call("SET", "text", "x"), pipe.call("INCR", "text"), pipe.call("GET", "text")]
    said, refused, got = await asyncio.gather(*calls, return_exceptions=True)
    assert (said, got) == (b"OK", b"x")
    assert isinstance(refused, RedisRefused)
    assert pipe.state is State.OPEN


async def test_a_caller_that_gives_up_shifts_nobodys_reply(pipe: RedisPipe):
    echoes = [pipe.call("ECHO", number) for number in range(1000)]
    for echo in echoes[::3]:
        echo.cancel()
    replies = await asyncio.gather(*echoes, return_exceptions=True)
    for number, reply in enumerate(replies):
        assert isinstance(reply, asyncio.CancelledError) if number % 3 == 0 else reply == str(number).encode()


async def test_replies_stay_paired_while_late_and_given_up(new_pipe, own_redis):
    """Each reply 100 ms late, a fifth of the callers gone by then: the bug of redis-py #2665."""
    async with FaultProxy(own_redis.socket, to_client=Fault(delay_s=0.1)) as proxy:
        pipe = new_pipe(f"redis://127.0.0.1:{proxy.port}/0")
        await until_open(pipe)

        async def ask(number: int) -> None:
            call = pipe.call("ECHO", number)
            if number % 5 == 0:
                await asyncio.sleep(0.05)
                call.cancel()
            else:
                assert await call == str(number).encode()

        for first in range(0, 2000, 200):
            await asyncio.gather(*(ask(number) for number in range(first, first + 200)))
        assert (pipe.state, pipe.waiting) == (State.OPEN, 0)


async def test_user_password_and_database_of_the_address_are_used(new_pipe, own_redis):
    setup = new_pipe(own_redis.url)
    await until_open(setup)
    await setup.call("ACL", "SETUSER", "gate", "on", ">s3cret/", "~*", "+@all")
    async with FaultProxy(own_redis.socket) as proxy:
        pipe = new_pipe(f"redis://gate:s3cret%2F@127.0.0.1:{proxy.port}/3")
        await until_open(pipe)
        await pipe.call("SET", "here", "yes")
        assert await pipe.call("ACL", "WHOAMI") == b"gate"
    await setup.call("SELECT", 3)
    assert await setup.call("GET", "here") == b"yes"


async def test_stopping_waits_for_what_was_asked(own_redis):
    pipe = RedisPipe(own_redis.url)
    pipe.start()
    await until_open(pipe)
    calls = [pipe.call("INCR", "count") for _ in range(100)]
    await pipe.stop()
    assert [call.result() for call in calls] == list(range(1, 101))
    assert pipe.state is State.STOPPED
    with pytest.raises(RedisAway):
        pipe.call("PING")


async def test_repr_and_stats_tell_how_it_stands(pipe: RedisPipe):
    call = pipe.call("PING")
    assert repr(pipe).endswith("redis.sock OPEN, 1 waiting>")
    await call
    assert (pipe.stats().connects, pipe.stats().losses, pipe.waiting) == (1, 0, 0)


async def test_a_loop_that_was_held_up_does_not_take_redis_for_slow(pipe: RedisPipe):
    call = pipe.call("ECHO", "x")
    await asyncio.sleep(0)
    time.sleep(2 * DEADLINE_S)  # noqa: ASYNC251 (what it is about)
    assert await call == b"x"


# One that is not


async def test_a_frozen_redis_costs_the_first_callers_250_ms_and_the_next_nothing(new_pipe, own_redis, caplog):
    caplog.set_level(logging.WARNING)
    pipe = new_pipe(own_redis.url)
    await until_open(pipe)
    own_redis.server.process.send_signal(signal.SIGSTOP)
    try:
        outcomes = await asyncio.gather(*(outcome_of(pipe.call("PING")) for _ in range(100)))
        assert all(isinstance(error, RedisUnavailable) for error, _ in outcomes)
        assert all(0.2 < took < DEADLINE_S + SLACK_S for _, took in outcomes)
        for _ in range(100):
            with pytest.raises(RedisAway):
                pipe.call("PING")
        await asyncio.sleep(1.0)  # some attempts to connect
        assert pipe.state is State.AWAY
    finally:
        own_redis.server.process.send_signal(signal.SIGCONT)
    assert await until_open(pipe) < 5
    assert await pipe.call("PING") == b"PONG"
    assert [record.message for record in caplog.records] == [
        "Redis is away: Redis does not answer",
        "Redis answers again",
    ]


async def test_a_killed_redis_is_noticed_at_once_and_found_again(new_pipe, own_redis, caplog):
    caplog.set_level(logging.WARNING)
    pipe = new_pipe(own_redis.url)
    await until_open(pipe)
    own_redis.server.process.kill()
    assert await until(lambda: pipe.state is State.AWAY) < 1
    own_redis.server.stop()
    await asyncio.to_thread(own_redis.start)
    assert await until_open(pipe) < 5
    assert await pipe.call("PING") == b"PONG"
    assert pipe.stats().losses == 1
    assert [record.message.partition(":")[0] for record in caplog.records] == ["Redis is away", "Redis answers again"]


async def test_a_redis_that_starts_later_is_found(new_pipe, own_redis):
    own_redis.server.stop()
    pipe = new_pipe(own_redis.url)
    await asyncio.sleep(0.05)
    with pytest.raises(RedisAway):
        pipe.call("PING")
    await asyncio.to_thread(own_redis.start)
    assert await until_open(pipe) < 5


async def test_a_redis_that_is_full_is_away_until_it_can_be_written_to(new_pipe, own_redis, caplog):
    caplog.set_level(logging.WARNING)
    admin, pipe = new_pipe(own_redis.url), new_pipe(own_redis.url)
    await until_open(admin)
    await until_open(pipe)
    await admin.call("CONFIG", "SET", "maxmemory", 1)
    outcome, _ = await outcome_of(pipe.call("EVAL", "return redis.call('SET', 'a', 'b')", 0))
    assert isinstance(outcome, RedisUnavailable)
    await asyncio.sleep(1.2)
    assert pipe.state is State.AWAY
    await admin.call("CONFIG", "SET", "maxmemory", 0)
    assert await until_open(pipe) < 5
    assert [record.message.partition(":")[0] for record in caplog.records] == ["Redis is away", "Redis answers again"]


async def test_a_replica_that_cannot_be_written_to_is_away(new_pipe, own_redis):
    pipe = new_pipe(own_redis.url)
    await until_open(pipe)
    await pipe.call("REPLICAOF", "127.0.0.1", 1)
    outcome, _ = await outcome_of(pipe.call("SET", "a", "b"))
    assert isinstance(outcome, RedisUnavailable)
    await asyncio.sleep(0.7)
    assert pipe.state is State.AWAY


# One that only claims to be a Redis


@asynccontextmanager
async def answering(replies: Sequence[bytes], pause_s: float = 0.0):
    """A server that answers what it reads with the next of `replies`, and hangs up after the last. Gives its URL.

    pause_s: between one line and the next.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for reply in replies:
                if not await reader.read(65536):
                    break
                for line in reply.splitlines(keepends=True):
                    writer.write(line)
                    await asyncio.sleep(pause_s)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


GARBAGE = [
    pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="another-protocol"),
    pytest.param(b"\x00\xff\x00\xff", id="noise"),
    pytest.param(b"+PONG\r\n+PONG\r\n", id="more-replies-than-commands"),
    pytest.param(b"$5\r\nab", id="half-a-reply-and-the-end"),
    pytest.param(b"*3\r\n:1\r\n", id="part-of-an-array-and-the-end"),
]


@pytest.mark.parametrize("reply", GARBAGE)
async def test_garbage_fails_the_call_and_the_connection(new_pipe, reply: bytes):
    async with answering([b"+OK\r\n", reply]) as url:
        pipe = new_pipe(url)
        await until_open(pipe)
        (outcome,) = await asyncio.gather(pipe.call("PING"), return_exceptions=True)
        assert isinstance(outcome, RedisUnavailable) or reply.startswith(b"+PONG")
        assert await until(lambda: pipe.stats().losses == 1) < 1


@pytest.mark.parametrize("code", ["LOADING", "MISCONF", "READONLY", "OOM", "MASTERDOWN", "NOAUTH"])
async def test_nobody_is_let_on_a_connection_that_cannot_be_written_to(new_pipe, caplog, code: str):
    caplog.set_level(logging.WARNING)
    async with answering([f"-{code} not now\r\n".encode()]) as url:
        pipe = new_pipe(url)
        await asyncio.sleep(1.2)
        assert (pipe.state, pipe.stats().connects) == (State.AWAY, 3)
        with pytest.raises(RedisAway):
            pipe.call("PING")
    assert [record.message for record in caplog.records] == [f"Redis is away: {code} not now"]


async def test_each_command_has_its_own_deadline(new_pipe):
    """Replies that trickle in are no sign that the last one is in time."""
    async with answering([b"+OK\r\n", b":1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n"], pause_s=0.06) as url:
        pipe = new_pipe(url)
        await until_open(pipe)
        replies = await asyncio.gather(*(outcome_of(pipe.call("INCR", "count")) for _ in range(7)))
        assert [reply for reply, _ in replies[:3]] == [1, 2, 3]
        assert isinstance(replies[6][0], RedisUnavailable)
        assert max(took for _, took in replies) < DEADLINE_S + SLACK_S


async def test_losing_one_connection_never_ends_the_next(new_pipe, own_redis):
    """The end of an old connection may be told after the next has been made."""
    opened: list[bool] = []
    async with FaultProxy(own_redis.socket) as proxy:
        pipe = new_pipe(f"redis://127.0.0.1:{proxy.port}", (), lambda: opened.append(True))
        for number in range(1, 6):
            await until(lambda n=number: len(opened) == n)
            assert await pipe.call("ECHO", number) == str(number).encode()
            proxy.reset_all()
        await until(lambda: len(opened) == 6)
        await asyncio.sleep(0.3)
        assert (pipe.stats().losses, pipe.state) == (5, State.OPEN)
