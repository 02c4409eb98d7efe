"""Letting calls in under all their limits, exactly, however many processes do so at once.

One script call before (`admit`: a hold on everything at once, in all scopes, or on nothing) and one after (`settle`:
the real price in the hold's place). Redis's clock only. Knows no Django.

A hold expires, or those of a process that died would stay for ever. A live one is renewed; what could not be
settled, or was not known to be held, because Redis was away, is settled later. What Redis has lost, sums and
holds, is counted again before a capped call is let in (counting.py).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from apps.limits.alone import WindowsAlone
from apps.limits.commands import Commands, Template
from apps.limits.counting import GRACE_MS, Counting, SpendAsk, Spent
from apps.limits.holds import Hold, Settlement
from apps.limits.redis_pipe import PipeStats, RedisAway, RedisPipe, RedisRefused, RedisUnavailable, Reply
from apps.limits.scopes import Periods, Scopes
from apps.limits.scripts import Scripts
from apps.limits.terms import MOST_PICO, LimiterUnavailable, LimitReached

logger = logging.getLogger(__name__)

LIFETIME_MS = 120_000  # of a hold that nobody renews
RENEWALS = 4  # in a lifetime
MOST_OVERDUE = 10_000
TOLD_AGAIN_S = 60.0  # what was charged in the last minute can be told again: by then the database has it
MOST_TOLD_AGAIN = 100_000
ATTEMPTS = 3  # at letting a call in whose sums had to be counted


@dataclass(frozen=True, slots=True)
class LimiterStats:
    """Of this process."""

    holds: int
    overdue: int  # settlements that Redis hasn't taken yet
    pipe: PipeStats


class Limiter:
    """Admits and settles through one Redis.

    spent: asks the database what was spent (see Counting). Without it Redis is believed as it is.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        lifetime_ms: int = LIFETIME_MS,
        scripts: Scripts | None = None,
        spent: Callable[[SpendAsk], Awaitable[Spent]] | None = None,
        grace_ms: int = GRACE_MS,
    ) -> None:
        self._scripts = scripts or Scripts()
        loading = [("SCRIPT", "LOAD", script.text) for script in self._scripts]
        self.pipe = RedisPipe(redis_url, loading, on_open=self._catch_up)
        self._lifetime_ms = lifetime_ms
        self.counting: Counting | None = None
        if spent is not None:
            self.counting = Counting(self.pipe, self._scripts, spent, self._tell_again, grace_ms=grace_ms)
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: dict[str, Hold] = {}
        self._overdue: dict[str, Settlement] = {}
        self._lately: deque[Settlement] = deque(maxlen=MOST_TOLD_AGAIN)
        self._alone = WindowsAlone()
        self._complaint = ""

    def __repr__(self) -> str:
        return f"<Limiter with {len(self._held)} holds and {len(self._overdue)} overdue on {self.pipe!r}>"

    def stats(self) -> LimiterStats:
        return LimiterStats(len(self._held), len(self._overdue), self.pipe.stats())

    def start(self) -> None:
        self.pipe.start()
        self._begin(self._keep_holds())
        if self.counting is not None:
            self._begin(self.counting.watch())

    async def stop(self) -> None:
        if self.counting is not None:
            self.counting.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pipe.stop()

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Before a call

    async def admit(
        self, hold_id: str, scopes: Scopes, periods: Periods, *, tokens: int, spend: int, began_us: int = 0
    ) -> Hold:
        """Let a call in under all limits at once.

        tokens, spend: the most it can use, spend in pico. They are held until the hold is settled.
        periods: those it falls into, in the organization's zone.
        began_us: Unix time in µs; the record of the call must have the same.
        Raises LimitReached, nothing taken anywhere; or LimiterUnavailable.
        """
        if scopes.is_open:
            return Hold("", self._commands_for(scopes, periods))
        spend = min(spend, MOST_PICO)
        for _ in range(ATTEMPTS):
            if self.counting is not None and not self.counting.generation and scopes.has_cap:
                await self.counting.look()
            commands = self._commands_for(scopes, periods)
            hold = Hold(hold_id, commands, tokens, spend, began_us)
            answer = await self._try(hold)
            first = answer[0]
            if type(first) is int:
                hold.used = cast("list[int]", answer)
                self._held[hold_id] = hold
                return hold
            if first == b"no":
                raise _reached(commands, *answer[1:])  # type: ignore[arg-type]
            if self.counting is None:
                break
            await self.counting.make_sure([commands.entries[number - 1] for number in answer[1:]])  # type: ignore[operator]
        raise LimiterUnavailable("what was spent is not known yet")

    async def _try(self, hold: Hold) -> list[object]:
        try:
            return await self._ask(hold.commands.admit, hold.id, hold.tokens, hold.spend)
        except RedisAway as error:
            raise LimiterUnavailable(str(error)) from error
        except (RedisUnavailable, RedisRefused) as error:
            self._release(hold)
            raise LimiterUnavailable(str(error)) from error
        except asyncio.CancelledError:
            self._release(hold)
            raise

    async def _ask(self, template: Template, *arguments: str | int) -> list[object]:
        command = template.packed(*arguments)
        try:
            answer = await self.pipe.call_packed(command)
        except RedisRefused as error:
            if not _is_forgotten(error):
                self._complain(error)
                raise
            self.pipe.call("SCRIPT", "LOAD", template.script.text)
            answer = await self.pipe.call_packed(command)
        return cast("list[object]", answer)

    def _release(self, hold: Hold) -> None:
        """Let go of what may be held or not: nobody has heard."""
        self._settle(Settlement(hold, 0, 0))

    def admit_alone(
        self, hold_id: str, scopes: Scopes, periods: Periods, *, tokens: int, now_s: float, began_us: int = 0
    ) -> Hold:
        """Let a call in while Redis is away: windows are kept by this process, caps by nobody.

        What the call costs is charged all the same, once Redis is back. Raises LimitReached.
        """
        commands = self._commands_for(scopes, periods)
        self._alone.admit(commands.entries, tokens, now_s)
        return Hold(hold_id if scopes.has_cap else "", commands, tokens, 0, began_us, is_alone=True)

    def _commands_for(self, scopes: Scopes, periods: Periods) -> Commands:
        generation = self.counting.generation if self.counting is not None else ""
        commands = scopes.commands
        if commands is None or not commands.are_for(periods, generation):
            commands = scopes.commands = Commands(self._scripts, scopes, periods, self._lifetime_ms, generation)
        return commands

    # After it

    def settle(self, hold: Hold, *, spend: int, tokens: int) -> None:
        """Charge what the call really cost, spend in pico, and let go of its hold. Calling it again does nothing.

        Doesn't wait: the record is what counts, and the counters follow it.
        """
        if not hold.id and not spend:
            return
        self._held.pop(hold.id, None)
        settlement = Settlement(hold, tokens, min(spend, MOST_PICO))
        if self.counting is not None and hold.commands.has_cap:
            self._note(settlement, self.counting.generation)
        self._settle(settlement, is_told_again=hold.is_alone and bool(hold.id))

    def _note(self, settlement: Settlement, generation: str) -> None:
        """Remember it for as long as it may have to be told again."""
        now, lately = asyncio.get_running_loop().time(), self._lately
        while lately and lately[0].told_at < now - TOLD_AGAIN_S:
            lately.popleft()
        settlement.generation, settlement.told_at = generation, now
        lately.append(settlement)

    def _settle(self, settlement: Settlement, *, is_told_again: bool = False) -> None:
        hold = settlement.hold
        began = "again" if is_told_again else hold.began_us
        command = hold.commands.settle.packed(hold.id, settlement.tokens, settlement.spend, began)
        try:
            reply = self.pipe.call_packed(command)
        except RedisUnavailable:
            self._settle_later(settlement)
        else:
            reply.add_done_callback(lambda reply: self._check_settled(reply, settlement))

    def _check_settled(self, reply: "asyncio.Future[Reply]", settlement: Settlement) -> None:
        error = reply.exception()
        if isinstance(error, RedisUnavailable):
            self._settle_later(settlement)
        elif isinstance(error, RedisRefused) and _is_forgotten(error):
            with suppress(RedisAway):
                self.pipe.call("SCRIPT", "LOAD", self._scripts.settle.text)
            self._settle(settlement, is_told_again=settlement.hold.is_alone)
        elif error is not None:
            self._complain(error)

    def _settle_later(self, settlement: Settlement) -> None:
        """Keep it until Redis is back. One without a hold could be charged twice, so it is left out."""
        hold_id = settlement.hold.id
        if hold_id and len(self._overdue) < MOST_OVERDUE:
            self._overdue[hold_id] = settlement

    # What another process held

    def resume(
        self,
        hold_id: str,
        scopes: Scopes,
        periods: Periods,
        *,
        tokens: int,
        spend: int,
        began_us: int,
        is_alone: bool = False,
    ) -> Hold:
        """The hold of a call that goes on elsewhere, whose process is gone; kept from now on. As `admit` made it."""
        hold = Hold(hold_id, self._commands_for(scopes, periods), tokens, spend, began_us, is_alone=is_alone)
        if hold_id and not is_alone:
            self._held[hold_id] = hold
            self._begin(self._take_over(hold))
        return hold

    async def _take_over(self, hold: Hold) -> None:
        """Hold it again where Redis doesn't know of it. What cannot be done now, the next renewal does."""
        with suppress(RedisUnavailable, RedisRefused, LimiterUnavailable):
            if self.counting is None or await self._ask(hold.commands.renew, hold.id):
                return
            await self.counting.look()
            await self._ask(hold.commands.restore, hold.id, hold.tokens, hold.spend, self.counting.generation)

    # Meanwhile

    async def _keep_holds(self) -> None:
        """Renew what is held, again and again."""
        while True:
            await asyncio.sleep(self._lifetime_ms / RENEWALS / 1000)
            self._complaint = ""
            with suppress(RedisAway):
                self.pipe.call("SCRIPT", "LOAD", self._scripts.renew.text)
                for hold in self._held.values():
                    self.pipe.call_packed(hold.commands.renew.packed(hold.id))

    def _catch_up(self) -> None:
        """Redis is there, for the first time or again."""
        self._alone.forget()
        if self.counting is None:
            self._settle_overdue()
        else:
            self._begin(self._catch_up_surely(self.counting))

    async def _catch_up_surely(self, counting: Counting) -> None:
        """First it must be known whether this is the memory that was left."""
        with suppress(LimiterUnavailable):
            await counting.look()
            self._settle_overdue()

    def _settle_overdue(self) -> None:
        overdue, self._overdue = self._overdue, {}
        for settlement in overdue.values():
            is_other = self.counting is not None and settlement.generation != self.counting.generation
            self._settle(settlement, is_told_again=is_other or settlement.hold.is_alone)

    def _tell_again(self) -> None:
        """Redis has lost its memory: what is held is held again, and what was charged lately is told again."""
        assert self.counting is not None
        with suppress(RedisAway):
            for script in (self._scripts.restore, self._scripts.settle):
                self.pipe.call("SCRIPT", "LOAD", script.text)
            for hold in self._held.values():
                self.pipe.call_packed(
                    hold.commands.restore.packed(hold.id, hold.tokens, hold.spend, self.counting.generation)
                )
            for settlement in self._lately:
                self._settle(settlement, is_told_again=True)

    def _complain(self, error: BaseException) -> None:
        """One line a turn, not one a call."""
        if str(error) != self._complaint:
            self._complaint = str(error)
            logger.error("Redis refuses a script: %s", error)


def _is_forgotten(error: RedisRefused) -> bool:
    """Whether Redis has lost a script that was loaded before."""
    return str(error).startswith("NOSCRIPT")


def _reached(commands: Commands, number: int, used: bytes, wait_ms: int, room: bytes | int) -> LimitReached:
    entry = commands.entries[number - 1]
    return LimitReached(
        entry.name,
        entry.amount(int(used)),
        entry.amount(entry.limit),
        None if wait_ms < 0 else wait_ms,
        scope=entry.scoped.scope,
        room=int(room),
        is_prepaid=entry.is_prepaid,
    )
