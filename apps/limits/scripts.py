"""The scripts that Redis runs for the limiter, each in one piece."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent / "scripts"
REDIS_CLOCK = "redis.call('TIME')"


class Script:
    """One script, behind what it shares with the others.

    clock: Lua that gives {seconds, microseconds}, where it is not to be Redis's own.
    """

    def __init__(self, name: str, clock: str = REDIS_CLOCK) -> None:
        text = (FOLDER / "common.lua").read_text() + (FOLDER / f"{name}.lua").read_text()
        self.text = text.replace(REDIS_CLOCK, clock)
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Scripts:
    """Those that change something."""

    def __init__(self, clock: str = REDIS_CLOCK) -> None:
        self.admit = Script("admit", clock)
        self.settle = Script("settle", clock)
        self.renew = Script("renew", clock)
        self.restore = Script("restore", clock)
        self.generation = Script("generation", clock)
        self.count = Script("count", clock)

    def __iter__(self) -> Iterator[Script]:
        return iter((self.admit, self.settle, self.renew, self.restore, self.generation, self.count))
