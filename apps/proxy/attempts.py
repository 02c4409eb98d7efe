"""A call that may be sent more than once: with other keys of the same provider, and again after a wait.

Only until an answer begins: an attempt that fails is one that the provider refused (401, 403, 429, 5xx) or
never saw. One that was sent and not answered may have cost money, and is not made again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from random import random
from typing import NamedTuple

from apps.proxy.asgi import ClientGone, Send, is_gone
from apps.proxy.circuit import Circuit
from apps.proxy.retrying import Policy, retry_after_s, takes_another_key, wait_s
from apps.proxy.route import Plan, Route, Share
from apps.proxy.stops import provider_failed
from apps.proxy.upstream import ConnectFailed, Exchange, OriginBusy, UpstreamError
from apps.usage.record import Attempt

TOO_MANY = 429

Circuits = dict[bytes, Circuit]  # of a process, by provider key
SendWith = Callable[[Route], Awaitable[Exchange]]


def ordered(shares: Iterable[Share], circuits: Circuits, now: float, chance: Callable[[], float]) -> list[Route]:
    """The keys to try, in order: by position, and by lot among those of the same one.

    Keys whose circuit is open are left out; where all are, the one that is so for the shortest time is tried.
    chance: from 0 up to, not including, 1.
    """
    drawn = sorted(shares, key=lambda share: (share.position, -(chance() ** (1 / share.weight))))
    routes = [share.route for share in drawn]
    known = [(route, circuits.get(route.provider_key_id)) for route in routes]
    admitted = [route for route, circuit in known if circuit is None or circuit.admits(now)]
    if admitted:
        return admitted
    return [min(routes, key=lambda route: circuits[route.provider_key_id].closes_at(now))]


class Failure(NamedTuple):
    """How an attempt failed: the answer, or why there is none."""

    route: Route
    answer: Exchange | None
    error: UpstreamError | None
    told_s: float = 0.0  # to wait

    def is_worth_another(self, policy: Policy) -> bool:
        """Whether the same may go better later."""
        return self.answer is None or self.answer.status in policy.statuses

    def close(self) -> None:
        if self.answer is not None:
            self.answer.close()

    def give(self) -> Exchange:
        """The last word: the answer as it is, or the error raised."""
        if self.answer is None:
            assert self.error is not None
            raise self.error
        return self.answer


class Attempts:
    """Of one call. `routes`: the keys that are tried, in order."""

    def __init__(self, plan: Plan, circuits: Circuits) -> None:
        self._policy = plan.policy
        self._circuits = circuits
        self.routes = ordered(plan.shares, circuits, time.monotonic(), random)
        self.made: list[Attempt] = []

    def __repr__(self) -> str:
        return f"<Attempts: {len(self.made)} made, with {len(self.routes)} keys>"

    async def run(self, send_with: SendWith, client: Send) -> Exchange:
        """The first answer that is no failure, or the last failure: its answer, or its UpstreamError raised."""
        routes, retry = self.routes, 0
        while True:
            failures: list[Failure] = []
            for route in routes:
                if failures:
                    failures[-1].close()
                result = await self._attempt(send_with, route, client)
                if isinstance(result, Exchange):
                    return result
                failures.append(result)
            again = [failure for failure in failures if failure.is_worth_another(self._policy)]
            told_s = min((failure.told_s for failure in again), default=None)
            wait = None if told_s is None else wait_s(self._policy, retry, told_s, random())  # noqa: S311 (no secret)
            if wait is None:
                return failures[-1].give()
            failures[-1].close()
            await asyncio.sleep(wait)
            routes = [failure.route for failure in again if failure.told_s <= wait]
            retry += 1

    async def _attempt(self, send_with: SendWith, route: Route, client: Send) -> Exchange | Failure:
        if self.made and is_gone(client):
            raise ClientGone
        circuit = self._circuits.setdefault(route.provider_key_id, Circuit())
        began = time.monotonic()
        circuit.begin(began)
        try:
            answer = await send_with(route)
        except (ConnectFailed, OriginBusy) as error:
            circuit.fail(time.monotonic())
            self._note(route, 0, provider_failed(error).code, began)
            return Failure(route, None, error)
        except BaseException as error:
            circuit.forget()
            self._note(route, 0, provider_failed(error).code if isinstance(error, UpstreamError) else "", began)
            raise
        self._note(route, answer.status, "", began)
        if not takes_another_key(answer.status):
            circuit.succeed()
            return answer
        told_s = retry_after_s(answer.headers, time.time())
        if answer.status == TOO_MANY:
            circuit.rest(time.monotonic(), told_s)
        else:
            circuit.fail(time.monotonic())
        return Failure(route, answer, None, told_s)

    def _note(self, route: Route, status: int, error_code: str, began: float) -> None:
        took_ms = round((time.monotonic() - began) * 1000)
        self.made.append(Attempt(route.provider_key_id, status, error_code, took_ms))


def told_of(attempts: Attempts, first_key_id: bytes | None) -> tuple[bytes | None, list[Attempt]]:
    """What an outcome tells: the key that served, where it isn't the first, and all attempts, where there were some."""
    made = attempts.made
    if len(made) < 2:
        return None, []
    last_key_id = made[-1].provider_key_id
    return (None if last_key_id == first_key_id else last_key_id), made
