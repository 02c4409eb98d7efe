"""Responses in the background as the database knows them, asked in a thread of its own. See background.py."""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar, cast
from uuid import UUID

from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from apps.keys.models import ProviderKey, ProxyKey
from apps.pricing.book import find_price
from apps.pricing.card_book import find_sale
from apps.proxy.background import Orphan, Unreachable
from apps.proxy.grants import load_grant, route_of
from apps.usage import awaiting
from apps.usage.models import AwaitedCall, Request
from apps.usage.record import Awaited, Intent, decode

T = TypeVar("T")

PATIENCE_S = 5.0


class AwaitedInDatabase:
    """Its thread ends with the process."""

    def __init__(self) -> None:
        self.lease_s = awaiting.LEASE.total_seconds()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="awaited")

    async def keep(self, ids: Collection[bytes]) -> None:
        """Raises Unreachable."""
        await self._in_thread(lambda: awaiting.keep(ids, at=timezone.now()))

    async def adopt(self, most: int) -> list[Orphan]:
        """Raises Unreachable."""
        return await self._in_thread(lambda: _adopt(most)) if most else []

    async def _in_thread(self, ask: Callable[[], T]) -> T:
        def in_thread() -> T:
            close_old_connections()
            try:
                return ask()
            except DatabaseError:
                connection.close()
                raise

        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.get_running_loop().run_in_executor(self._executor, in_thread)
        except (DatabaseError, TimeoutError) as error:
            raise Unreachable(str(error)) from error


def _adopt(most: int) -> list[Orphan]:
    orphans = []
    for row in awaiting.adopt(at=timezone.now(), most=most):
        if Request.objects.filter(started_at=row.started_at, id=row.pk).exists():  # such as after a restored backup
            awaiting.end([row.pk.bytes])
        else:
            orphans.append(_orphan(row))
    return orphans


def _orphan(row: AwaitedCall) -> Orphan:
    intent, awaited = cast("Intent", decode(row.intent)), cast("Awaited", decode(row.awaited))
    began = intent.started_at_us / 1_000_000
    provider_key = (
        awaited.provider_key_id
        and ProviderKey.objects.filter(pk=UUID(bytes=awaited.provider_key_id), organization=row.organization_id)
        .select_related("organization")
        .first()
    )
    key = ProxyKey.objects.filter(pk=UUID(bytes=intent.proxy_key_id), customer=row.customer_id).first()
    price = find_price(row.organization_id, intent.provider, intent.model, datetime.fromtimestamp(began, UTC))
    return Orphan(
        intent,
        awaited,
        route_of(provider_key) if provider_key else None,
        price.at(began) if price is not None else None,
        load_grant(bytes(key.key_hash)) if key else None,
        find_sale(row.organization_id, intent.rate_rule_id) if intent.rate_rule_id else None,
    )
