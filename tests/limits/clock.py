"""Redis's clock in the hands of a test: the scripts as they are, but for where they read the time."""

from apps.limits.redis_pipe import RedisPipe
from apps.limits.scripts import Scripts

CLOCK = "redis.call('MGET', 'tests:seconds', 'tests:micros')"


def scripts_by_test_clock() -> Scripts:
    return Scripts(CLOCK)


async def set_clock(pipe: RedisPipe, ms: int) -> None:
    await pipe.call("MSET", "tests:seconds", ms // 1000, "tests:micros", ms % 1000 * 1000)
