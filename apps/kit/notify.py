"""Telling every process of a change, twice over: PostgreSQL's NOTIFY and Redis's PUBLISH."""

import logging
from functools import lru_cache, partial

import redis
from django.conf import settings
from django.db import connection, transaction

logger = logging.getLogger(__name__)

PATIENCE_S = 0.25  # a Redis that hangs must not hold up whoever made the change


def notify(channel: str, payload: str) -> None:
    """Tell the listeners on `channel`, once the transaction at hand commits; never if it rolls back.

    PostgreSQL delivers with the commit itself. Redis is the second way to the same listeners, for those
    whose connection to PostgreSQL is cut: a failure there is logged and nothing more. Saying the same
    twice in a transaction tells PostgreSQL's listeners once.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])
    transaction.on_commit(partial(_publish, channel, payload))


def _publish(channel: str, payload: str) -> None:
    try:
        _redis(settings.REDIS_URL).publish(channel, payload)
    except redis.RedisError:
        logger.warning("not published on Redis: %s %s", channel, payload, exc_info=True)


@lru_cache(maxsize=2)
def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S)
