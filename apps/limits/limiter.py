"""Letting calls in under a customer's limits, exactly, however many processes do so at once.

One script call before (`admit`: a hold on everything at once, or on nothing) and one after (`settle`:
the real price in the hold's place). Redis's clock only. Knows no Django.

A hold expires, or those of a process that died would stay for ever. A live one is renewed; what could not be
settled, or was not known to be held, because Redis was away, is settled later.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, cast

from apps.limits.alone import WindowsAlone
from apps.limits.commands import Commands, LimitKeys, Template
from apps.limits.redis_pipe import PipeStats, RedisAway, RedisPipe, RedisRefused, RedisUnavailable, Reply
from apps.limits.scripts import Scripts
from apps.limits.terms import MOST_PICO, LimiterUnavailable, LimitReached, Limits, from_pico

logger = logging.getLogger(__name__)

LIFETIME_MS = 120_000  # of a hold that nobody renews
RENEWALS = 4  # in a lifetime
MOST_OVERDUE = 10_000


class Hold(NamedTuple):
    """What a call has taken until it settles. `id` is ours, never the client's; "" took nothing."""

    id: str
    commands: Commands


class Settlement(NamedTuple):
    """What a hold is to be replaced by; spend in pico."""

    hold: Hold
    tokens: int
    spend: int


@dataclass(frozen=True, slots=True)
class LimiterStats:
    """Of this process."""

    holds: int
    overdue: int  # settlements that Redis hasn't taken yet
    pipe: PipeStats


class Limiter:
    """Admits and settles through one Redis."""

    def __init__(self, redis_url: str, *, lifetime_ms: int = LIFETIME_MS, scripts: Scripts | None = None) -> None:
        self._scripts = scripts or Scripts()
        loading = [("SCRIPT", "LOAD", script.text) for script in self._scripts]
        self.pipe = RedisPipe(redis_url, loading, on_open=self._catch_up)
        self._lifetime_ms = lifetime_ms
        self._keeper: asyncio.Task[None] | None = None
        self._held: dict[str, Hold] = {}
        self._overdue: dict[str, Settlement] = {}
        self._alone = WindowsAlone()
        self._complaint = ""

    def __repr__(self) -> str:
        return f"<Limiter with {len(self._held)} holds and {len(self._overdue)} overdue on {self.pipe!r}>"

    def stats(self) -> LimiterStats:
        return LimiterStats(len(self._held), len(self._overdue), self.pipe.stats())

    def start(self) -> None:
        self.pipe.start()
        self._keeper = asyncio.get_running_loop().create_task(self._keep_holds())

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        await self.pipe.stop()

    # Before a call

    async def admit(
        self, hold_id: str, keys: LimitKeys, limits: Limits, *, tokens: int, spend: int, day: str, month: str
    ) -> Hold:
        """Let a call in under all limits at once.

        tokens, spend: the most it can use, spend in pico. They are held until the hold is settled.
        day, month: the periods it falls into ("2026-11-20", "2026-11") in the organization's zone.
        Raises LimitReached, nothing taken anywhere; or LimiterUnavailable.
        """
        commands = self._commands_for(keys, limits, day, month)
        if limits.is_open:
            return Hold("", commands)
        hold = Hold(hold_id, commands)
        try:
            refusal = await self._ask(commands.admit, hold_id, tokens, min(spend, MOST_PICO))
        except RedisAway as error:
            raise LimiterUnavailable(str(error)) from error
        except (RedisUnavailable, RedisRefused) as error:
            self._release(hold)
            raise LimiterUnavailable(str(error)) from error
        except asyncio.CancelledError:
            self._release(hold)
            raise
        if refusal is not None:
            raise _reached(commands, *refusal)
        self._held[hold_id] = hold
        return hold

    async def _ask(self, template: Template, *arguments: str | int) -> tuple[int, bytes, int] | None:
        command = template.packed(*arguments)
        try:
            answer = await self.pipe.call_packed(command)
        except RedisRefused as error:
            if not _is_forgotten(error):
                self._complain(error)
                raise
            self.pipe.call("SCRIPT", "LOAD", template.script.text)
            answer = await self.pipe.call_packed(command)
        return None if answer == 1 else cast("tuple[int, bytes, int]", answer)

    def _release(self, hold: Hold) -> None:
        """Let go of what may be held or not: nobody has heard."""
        self._settle(Settlement(hold, 0, 0))

    def admit_alone(self, keys: LimitKeys, limits: Limits, *, tokens: int, day: str, month: str, now_s: float) -> Hold:
        """Let a call in while Redis is away: windows are kept by this process, caps by nobody.

        What the call costs is charged all the same. Raises LimitReached.
        """
        self._alone.admit(keys.holds, limits, tokens, now_s)
        return Hold("", self._commands_for(keys, limits, day, month))

    def _commands_for(self, keys: LimitKeys, limits: Limits, day: str, month: str) -> Commands:
        commands = keys.commands
        if commands is None or not commands.are_for(limits, day, month):
            commands = keys.commands = Commands(self._scripts, keys, limits, day, month, self._lifetime_ms)
        return commands

    # After it

    def settle(self, hold: Hold, *, spend: int, tokens: int) -> None:
        """Charge what the call really cost, spend in pico, and let go of its hold. Calling it again does nothing.

        Doesn't wait: the record is what counts, and the counters follow it.
        """
        if not hold.id and not spend:
            return
        self._held.pop(hold.id, None)
        self._settle(Settlement(hold, tokens, min(spend, MOST_PICO)))

    def _settle(self, settlement: Settlement) -> None:
        hold = settlement.hold
        command = hold.commands.settle.packed(hold.id, settlement.tokens, settlement.spend)
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
            self._settle(settlement)
        elif error is not None:
            self._complain(error)

    def _settle_later(self, settlement: Settlement) -> None:
        """Keep it until Redis is back. One without a hold could be charged twice, so it is left out."""
        hold_id = settlement.hold.id
        if hold_id and len(self._overdue) < MOST_OVERDUE:
            self._overdue[hold_id] = settlement

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
        overdue, self._overdue = self._overdue, {}
        for settlement in overdue.values():
            self._settle(settlement)

    def _complain(self, error: BaseException) -> None:
        """One line a turn, not one a call."""
        if str(error) != self._complaint:
            self._complaint = str(error)
            logger.error("Redis refuses a script: %s", error)


def _is_forgotten(error: RedisRefused) -> bool:
    """Whether Redis has lost a script that was loaded before."""
    return str(error).startswith("NOSCRIPT")


def _reached(commands: Commands, number: int, used: bytes, wait_ms: int) -> LimitReached:
    name = commands.names[number - 1]
    limit = Decimal(getattr(commands.limits, name))
    amount = from_pico(int(used)) if name.is_money else Decimal(int(used))
    return LimitReached(name, amount, limit, None if wait_ms < 0 else wait_ms)
