"""What was spent, asked of the database in threads of its own when Redis doesn't know. See limits.counting."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

from django.db import DatabaseError, close_old_connections

from apps.limits.counting import SpendAsk, Spent, SpentUnknown
from apps.limits.terms import to_pico
from apps.usage.spent import spent

THREADS = 2
PATIENCE_S = 3.0


class SpentInDatabase:
    """Use as a function. Its threads end with the process."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="spent")

    async def __call__(self, ask: SpendAsk) -> Spent:
        """Raises SpentUnknown."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await loop.run_in_executor(self._executor, _ask, ask)
        except (DatabaseError, TimeoutError) as error:
            raise SpentUnknown(str(error)) from error


def _ask(ask: SpendAsk) -> Spent:
    close_old_connections()
    owner = UUID(bytes=ask.owner) if isinstance(ask.owner, bytes) else ask.owner
    price, landed = spent(
        UUID(bytes=ask.customer_id),
        owner,
        begins_at=_instant(ask.begins_at),
        ends_at=_instant(ask.ends_at),
        before_us=ask.before_us,
        ids=[UUID(hex=each) for each in ask.ids],
    )
    return Spent(to_pico(price), [each.hex for each in landed])


def _instant(at: float) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at else None
