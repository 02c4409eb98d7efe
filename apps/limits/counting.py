"""Making sure of what was spent: sums that Redis lost, or never had, come from the database. Knows no Django.

A sum that a capped call finds without its stamp (see Entry.stamp) is asked of the database before the call is let
in. The sum of all calls which began before a boundary becomes its `base`; calls that began later are charged as they
settle. What began before and isn't in the database yet is told again by the process that had it and kept apart under
its id, until asking the database again shows that it is there. So the sum is never too low while all processes live,
and exact once everything is shipped.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import NamedTuple, cast

from apps.limits.commands import Entry
from apps.limits.redis_pipe import RedisPipe, RedisRefused, RedisUnavailable
from apps.limits.scripts import Script, Scripts
from apps.limits.terms import LimiterUnavailable, Scope

logger = logging.getLogger(__name__)

GENERATION_KEY = "tollgate:generation"
WATCH_S = 0.5  # between looks at the generation
GRACE_MS = 1_500  # that every process has to tell a new memory what it holds, before a cap is asked of it
PATIENCE_S = 4.0  # that a call waits for its sums
AHEAD_US = 5_000_000  # of the boundary: processes that haven't heard of a new cap yet charge nothing to its sum
ASK_AGAIN_S = (1, 1, 2, 3, 5, 10, 30, 60, 300)  # after a sum was begun, for what was on its way to the database
KEEP_ASKING = 60  # times more while calls are kept apart, as far apart as the last
SINCE, BASE, SURE, LATE = b"since", b"base", b"sure", b"late:"


class SpendAsk(NamedTuple):
    """The price of which calls is to be added up."""

    scope: Scope
    customer_id: bytes
    owner: bytes | str | None  # the key's id, the end user's name, None
    begins_at: float  # Unix time; 0: ever
    ends_at: float  # 0: never
    before_us: int  # only calls that began before, in µs of Unix time
    ids: list[str]  # of calls, to be told whether they are among them


class Spent(NamedTuple):
    """The answer: the sum in pico, and which of the ids are in it."""

    pico: int
    ids: list[str]


class SpentUnknown(Exception):
    """The database does not answer."""


class Counting:
    """Of one limiter.

    spent: asks the database. Raises SpentUnknown.
    on_loss: called when Redis's memory is another than before: what is held is to be held again, and what was
        charged lately to be told again.
    """

    def __init__(
        self,
        pipe: RedisPipe,
        scripts: Scripts,
        spent: Callable[[SpendAsk], Awaitable[Spent]],
        on_loss: Callable[[], None],
        *,
        grace_ms: int = GRACE_MS,
    ) -> None:
        self.generation = ""  # of Redis's memory; "": not known yet
        self._pipe = pipe
        self._scripts = scripts
        self._spent = spent
        self._on_loss = on_loss
        self._grace_ms = grace_ms
        self._complaint = ""
        self._under_way: dict[str, asyncio.Task[None]] = {}  # by the sum's key
        self._following: set[asyncio.Task[None]] = set()

    async def watch(self) -> None:
        """Notice a memory that was lost while nobody asked, for as long as it isn't cancelled."""
        while True:
            with suppress(LimiterUnavailable):
                await self.look()
            await asyncio.sleep(WATCH_S)

    def stop(self) -> None:
        for task in (*self._under_way.values(), *self._following):
            task.cancel()

    async def look(self) -> int:
        """Learn of the generation. Returns its age in ms. Raises LimiterUnavailable."""
        known = self.generation
        generation, age_ms = cast("list[bytes]", await self._run(self._scripts.generation, [GENERATION_KEY], known))
        if generation.decode() != self.generation:
            is_loss = bool(self.generation)
            self.generation = generation.decode()
            if is_loss:
                logger.warning("Redis has lost its memory: what was spent is counted again")
                self._on_loss()
        return int(age_ms)

    async def make_sure(self, entries: Iterable[Entry]) -> None:
        """Have the sums of these limits complete. Raises LimiterUnavailable when that takes too long."""
        tasks = [self._task(entry) for entry in entries]
        _, late = await asyncio.wait(tasks, timeout=PATIENCE_S)
        if late or any(task.cancelled() or task.exception() for task in tasks):
            raise LimiterUnavailable("what was spent is not known yet")

    def _task(self, entry: Entry) -> "asyncio.Task[None]":
        """One question at a time for a sum, however many calls wait for it."""
        task = self._under_way.get(entry.key)
        if task is None:
            task = asyncio.create_task(self._begin(entry))
            self._under_way[entry.key] = task
            task.add_done_callback(lambda task: self._end(entry, task))
        return task

    def _end(self, entry: Entry, task: "asyncio.Task[None]") -> None:
        self._under_way.pop(entry.key, None)
        if task.cancelled():
            return
        complaint = str(task.exception() or "")
        if complaint and complaint != self._complaint:  # one line a change, not one a sum
            logger.warning("what was spent is not known: %s", complaint)
        self._complaint = complaint

    async def _begin(self, entry: Entry) -> None:
        age_ms = await self.look()
        if age_ms < self._grace_ms:
            await asyncio.sleep((self._grace_ms - age_ms) / 1000)
        await self._count(entry)
        follower = asyncio.create_task(self._follow(entry))
        self._following.add(follower)
        follower.add_done_callback(self._following.discard)

    async def _follow(self, entry: Entry) -> None:
        """Ask again for what had not come to the database yet."""
        for wait_s in (*ASK_AGAIN_S, *[ASK_AGAIN_S[-1]] * KEEP_ASKING):
            await asyncio.sleep(wait_s)
            with suppress(LimiterUnavailable, SpentUnknown):
                is_late = await self._count(entry)
                if wait_s == ASK_AGAIN_S[-1] and not is_late:
                    return

    async def _count(self, entry: Entry) -> bool:
        """Put the database's sum in its place. Returns whether calls were kept apart."""
        stamp = entry.stamp(self.generation)
        known = await self._known(entry)
        is_sure = known.get(SURE) == stamp.encode()
        since_us = int(known[SINCE]) if is_sure else await self._now_us() + AHEAD_US
        late = [field.removeprefix(LATE).decode() for field in known if field.startswith(LATE)]
        if is_sure and since_us == 0:
            return bool(late)  # it began here, with its period: the database has nothing to add
        scoped = entry.scoped
        ask = SpendAsk(
            scoped.scope, scoped.keys.customer_id, scoped.owner, entry.begins_at, entry.ends_at, since_us, late
        )
        spent = await self._spent(ask)
        keys = scoped.keys
        await self._run(
            self._scripts.count,
            [keys.holds, keys.held, keys.alive, entry.key],
            self.generation,
            stamp,
            since_us,
            spent.pico,
            known[BASE].decode() if is_sure else "",
            entry.span_ms,
            *spent.ids,
        )
        return bool(late)

    async def _known(self, entry: Entry) -> dict[bytes, bytes]:
        fields = cast("list[bytes]", await self._call("HGETALL", entry.key))
        return dict(zip(fields[::2], fields[1::2], strict=True))

    async def _now_us(self) -> int:
        seconds, micros = cast("list[bytes]", await self._call("TIME"))
        return int(seconds) * 1_000_000 + int(micros)

    async def _run(self, script: Script, keys: list[str], *arguments: str | int) -> object:
        return await self._call("EVAL", script.text, len(keys), *keys, *arguments)

    async def _call(self, *command: str | int) -> object:
        try:
            return await self._pipe.call(*command)
        except (RedisUnavailable, RedisRefused) as error:
            raise LimiterUnavailable(str(error)) from error
