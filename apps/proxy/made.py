"""Who made what is kept at a provider: responses and conversations, which customers of one operator could share.

All of them call with the operator's account, so that the provider would give anybody anything. Kept in Redis,
asked only by calls that name such an object; what Redis has forgotten is nobody's. Knows no Django.
"""

import logging

from apps.limits.redis_pipe import RedisPipe, RedisRefused, RedisUnavailable

logger = logging.getLogger(__name__)

MOST_ID = 200  # characters; what is longer is no id


class MakersUnknown(Exception):
    """Redis cannot be asked."""


class Makers:
    """By an organization's provider and the object's id, the customer who made it.

    kept_s: for how long; OpenAI keeps responses for 30 days.
    """

    def __init__(self, pipe: RedisPipe, kept_s: int) -> None:
        self._pipe = pipe
        self._kept_s = kept_s

    async def note(self, organization_id: bytes, provider: str, object_id: str, customer_id: bytes) -> None:
        """Remember it; returns when that is done, so that the client's next call finds it. Never raises."""
        try:
            await self._pipe.call("SET", _key(organization_id, provider, object_id), customer_id, "EX", self._kept_s)
        except (RedisUnavailable, RedisRefused) as error:
            logger.warning("nobody will be known to have made %s: %s", object_id[:MOST_ID], error)

    async def of(self, organization_id: bytes, provider: str, object_id: str) -> bytes | None:
        """The customer's id; None: nobody that we know of. Raises MakersUnknown."""
        if len(object_id) > MOST_ID:
            return None
        try:
            found = await self._pipe.call("GET", _key(organization_id, provider, object_id))
        except (RedisUnavailable, RedisRefused) as error:
            raise MakersUnknown from error
        return found if isinstance(found, bytes) else None


def _key(organization_id: bytes, provider: str, object_id: str) -> str:
    return f"tollgate:made:{organization_id.hex()}:{provider}:{object_id}"
