"""Who made what is kept at a provider: responses, conversations, files, which customers of one operator could share.

All of them call with the operator's account, so that the provider would give anybody anything. Kept in Redis,
asked only by calls that name such an object; what Redis has forgotten is nobody's. Knows no Django.
"""

import asyncio
import logging
import re
from collections.abc import Iterable
from typing import NamedTuple

from apps.limits.redis_pipe import RedisPipe, RedisRefused, RedisUnavailable

logger = logging.getLogger(__name__)

MOST_NOTED = 1_000  # of one answer
MOST_ID = 200  # characters; what is longer is no id
ID_BYTES = 16
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,200}")
AWAITED, RECORDED = b"+", b"-"  # behind the maker's id


class MakersUnknown(Exception):
    """Redis cannot be asked."""


class Maker(NamedTuple):
    """Who made a thing.

    is_awaited: it goes on at the provider, and what it costs isn't recorded yet.
    alias: what the model was called by, where that was a name of the organization's own.
    """

    customer_id: bytes
    is_awaited: bool = False
    alias: str = ""

    def packed(self) -> bytes:
        """As Redis keeps it."""
        state = AWAITED if self.is_awaited else RECORDED if self.alias else b""
        return self.customer_id + state + self.alias.encode()


class Makers:
    """By an organization's provider and the object's id, the customer who made it.

    kept_s: for how long since it was last asked for; OpenAI keeps responses for 30 days.
    """

    def __init__(self, pipe: RedisPipe, kept_s: int) -> None:
        self._pipe = pipe
        self._kept_s = kept_s

    async def note(self, organization_id: bytes, provider: str, object_id: str, maker: Maker) -> None:
        """Remember it; returns when that is done, so that the client's next call finds it. Never raises."""
        value = maker.packed()
        try:
            await self._pipe.call("SET", _key(organization_id, provider, object_id), value, "EX", self._kept_s)
        except (RedisUnavailable, RedisRefused) as error:
            logger.warning("nobody will be known to have made %s: %s", object_id[:MOST_ID], error)

    async def note_all(
        self, organization_id: bytes, provider: str, object_ids: Iterable[str], customer_id: bytes
    ) -> None:
        """The same of several, in one go."""
        maker = Maker(customer_id)
        known = [each for each in object_ids if len(each) <= MOST_ID][:MOST_NOTED]
        await asyncio.gather(*(self.note(organization_id, provider, each, maker) for each in known))

    async def of(self, organization_id: bytes, provider: str, object_id: str) -> Maker | None:
        """Who made it; None: nobody that we know of. Raises MakersUnknown."""
        if len(object_id) > MOST_ID:
            return None
        try:
            found = await self._pipe.call("GETEX", _key(organization_id, provider, object_id), "EX", self._kept_s)
        except (RedisUnavailable, RedisRefused) as error:
            raise MakersUnknown from error
        return _unpacked(found) if isinstance(found, bytes) else None


def _key(organization_id: bytes, provider: str, object_id: str) -> str:
    return f"tollgate:made:{organization_id.hex()}:{provider}:{object_id}"


def _unpacked(value: bytes) -> Maker:
    state = value[ID_BYTES : ID_BYTES + 1]
    return Maker(value[:ID_BYTES], state == AWAITED, value[ID_BYTES + 1 :].decode("utf-8", "replace"))


def can_be_followed(object_id: str) -> bool:
    """Whether it can stand in a path as it is."""
    return _PLAIN_ID.fullmatch(object_id) is not None
