import time

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle
from rest_framework.views import APIView

MINUTE_S = 60
HOUR_S = 3600
CODES_AN_HOUR = 60  # that one token may try


class PerKey(SimpleRateThrottle):
    """So many questions a minute for each key: they are for people and dashboards, not for every call."""

    rate = "60/minute"

    def allow_request(self, request: Request, view: APIView) -> bool:
        try:
            return super().allow_request(request, view)
        except RedisError:
            return True  # that it is away is what the answer then tells

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        return None if request.auth is None else f"api:{request.auth.pk}"


class PerToken(BaseThrottle):
    """So many requests in each minute of the clock for each API token, or proxy key that sends what it used.

    All are let in while Redis is away.
    """

    def allow_request(self, request: Request, view: APIView) -> bool:
        if request.auth is None:
            return True
        name = f"api:token:{request.auth.pk}:{int(time.time() // MINUTE_S)}"
        try:
            cache.add(name, 0, timeout=2 * MINUTE_S)
            return bool(cache.incr(name) <= settings.API_RATE)
        except (RedisError, ValueError):  # away, or forgotten between the two
            return True

    def wait(self) -> float:
        """Until the next minute, in seconds."""
        return MINUTE_S - time.time() % MINUTE_S


class Redeeming(BaseThrottle):
    """So many tries of codes in each hour for each API token: whoever tries many is guessing."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        if request.auth is None:
            return True
        name = f"api:codes:{request.auth.pk}:{int(time.time() // HOUR_S)}"
        try:
            cache.add(name, 0, timeout=2 * HOUR_S)
            return bool(cache.incr(name) <= CODES_AN_HOUR)
        except (RedisError, ValueError):  # away, or forgotten between the two
            return True

    def wait(self) -> float:
        """Until the next hour, in seconds."""
        return HOUR_S - time.time() % HOUR_S
