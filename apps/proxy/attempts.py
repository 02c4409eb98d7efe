"""Sending a call until it is answered: with the next key where one fails, and again after a while.

Only what cannot have cost anything is tried again: no connection, or an answer that is an error, before any of it
went to the client. A connection that broke after the call was sent may have, and is not. However many attempts
there were, it is one call, charged once; they stand on its record.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

from apps.proxy.circuit import Circuits
from apps.proxy.grant import Route
from apps.proxy.retries import FAILED, REFUSED, Retries, retry_after_s
from apps.proxy.stops import provider_failed
from apps.proxy.upstream import ConnectFailed, Exchange, OriginBusy, UpstreamError
from apps.usage.record import Attempt

Send = Callable[[Route], Awaitable[Exchange]]
Answer = Exchange | ConnectFailed | OriginBusy

NEVER_BEGUN = (ConnectFailed, OriginBusy)


def in_turn(routes: Sequence[Route]) -> list[Route]:
    """The routes in the order in which a call tries them: by chance, as often first as their weights say.

    Those of weight 0 are spare: they come last. Efraimidis and Spirakis (2006): each draws a number to the power
    of one over its weight, and the largest goes first.
    """
    return sorted(
        routes,
        key=lambda route: random.random() ** (1 / route.weight) if route.weight else -random.random(),  # noqa: S311
        reverse=True,
    )


class Attempts:
    """Of one call.

    routes: the ways to its provider, in the order in which they are tried.
    is_wanted: whether the client is still there.
    """

    def __init__(
        self, routes: Sequence[Route], retries: Retries, circuits: Circuits, is_wanted: Callable[[], bool]
    ) -> None:
        self._routes = routes
        self._retries = retries
        self._circuits = circuits
        self._is_wanted = is_wanted
        self.route = routes[0]  # of the last one
        self.made: list[Attempt] = []

    def __repr__(self) -> str:
        return f"<Attempts: {len(self.made)}, over {len(self._routes)} keys>"

    async def send(self, send: Send) -> Exchange:
        """Try until there is an answer that stands: a good one, or the last. Raises the last one's UpstreamError."""
        rounds = 0
        while True:
            rounds += 1
            answer = await self._each_key(send)
            pause_s = self._pause_s(answer, rounds)
            if pause_s is None:
                break
            _give_up(answer)
            await asyncio.sleep(pause_s)
        if isinstance(answer, Exchange):
            return answer
        raise answer

    async def _each_key(self, send: Send) -> Answer:
        """With one key after the other, until one is answered well; else the answer to the last."""
        answer: Answer | None = None
        for route in self._usable():
            if answer is not None:
                if not self._is_wanted():
                    break
                _give_up(answer)
            answer = await self._try(route, send)
            if _is_final(answer):
                break
        assert answer is not None  # one is always usable
        return answer

    def _usable(self) -> Iterator[Route]:
        """Those whose circuit lets the call through; where none does, the first all the same."""
        if len(self._routes) == 1:
            yield self._routes[0]
            return
        has_any = False
        for route in self._routes:
            if self._circuits.lets_through(route.provider_key_id, time.monotonic()):
                has_any = True
                yield route
        if not has_any:
            yield self._routes[0]

    async def _try(self, route: Route, send: Send) -> Answer:
        began = time.perf_counter()
        self.route = route
        answer: Answer
        try:
            answer = await send(route)
        except NEVER_BEGUN as error:
            answer = error
        except UpstreamError as error:
            self._note(route, error, began)
            raise
        self._note(route, answer, began)
        return answer

    def _note(self, route: Route, answer: Exchange | UpstreamError, began: float) -> None:
        status, code = (answer.status, "") if isinstance(answer, Exchange) else (0, provider_failed(answer).code)
        took_ms = round((time.perf_counter() - began) * 1000)
        self.made.append(Attempt(route.provider_key_id, status, code, took_ms))
        if len(self._routes) == 1:
            return
        if isinstance(answer, Exchange) and status not in FAILED | REFUSED:
            self._circuits.succeeded(route.provider_key_id)
            return
        wait_s = retry_after_s(answer.headers) if isinstance(answer, Exchange) else None
        self._circuits.failed(route.provider_key_id, time.monotonic(), status=status, wait_s=wait_s)

    def _pause_s(self, answer: Answer, rounds: int) -> float | None:
        """How long to wait before all is tried again; None: it is not."""
        is_curable = not isinstance(answer, Exchange) or answer.status in FAILED
        if rounds > self._retries.number or not is_curable or not self._is_wanted():
            return None
        return self._retries.wait_s(rounds, retry_after_s(answer.headers) if isinstance(answer, Exchange) else None)


def _is_final(answer: Answer) -> bool:
    """Whether no other key could do better."""
    return isinstance(answer, Exchange) and answer.status not in FAILED | REFUSED


def _give_up(answer: Answer) -> None:
    if isinstance(answer, Exchange):
        answer.close()
