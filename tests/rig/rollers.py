"""Workers that roll up in processes of their own: begun at once, so that they can be timed, and killed at random.

`python -m tests.rig.rollers` is one: it says that it is ready, waits for a line, and rolls up until nothing is left.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from random import Random

import psycopg

from apps.ops.embedded import die_with_parent
from tests.rig.processes import ROOT, ProcessFailed

AT_WORK = "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND xact_start IS NOT NULL"
LOOK_EVERY_S = 0.002


class Roller:
    """A worker on the database that `url` names; the rest of its settings are those of this process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._name = f"roller of {time.monotonic_ns()}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.rig.rollers"],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "DATABASE_URL": url}
            | {"PGAPPNAME": self._name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 (two system calls, no lock taken)
        )

    def wait_until_ready(self) -> None:
        """It has loaded all that it needs, and waits."""
        self._read()

    def begin(self) -> None:
        """Have it roll up."""
        assert self._process.stdin is not None
        self._process.stdin.write("begin\n")
        self._process.stdin.flush()

    def wait(self) -> int:
        """Until nothing is left. Returns how many requests it rolled up."""
        requests = int(self._read())
        self.end()
        return requests

    def is_at_work(self) -> bool:
        """Whether it has begun what it has not committed yet."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            return connection.execute(AT_WORK, [self._name]).fetchone() is not None

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """`kill -9`, and wait for the end."""
        self._process.kill()
        self.end()

    def end(self) -> None:
        """Close what is between us, and wait for its end."""
        with self._process:
            pass

    def _read(self) -> str:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise ProcessFailed("the worker is gone; the reason is above")
        return line


def start_rollers(url: str, number: int) -> list[Roller]:
    """So many that are ready to begin."""
    rollers = [Roller(url) for _ in range(number)]
    for roller in rollers:
        roller.wait_until_ready()
    return rollers


def kill_at_random(
    url: str, *, kills: int, workers: int, longest_s: float, chance: Random, told: Callable[[int], object] = print
) -> int:
    """Have so many workers at once, and kill one after the other in the midst of a transaction; then let them finish.

    longest_s: after it was seen in its transaction, each lives for up to so long. Returns how many were killed in one:
    fewer than `kills` only where too little was left to do.
    """
    running = start_rollers(url, workers + kills)
    spare = [running.pop() for _ in range(kills)]
    for roller in running:
        roller.begin()
    done = 0
    while spare and (victim := _one_at_work(running, chance)):
        time.sleep(chance.uniform(0, longest_s))
        if not victim.is_at_work():
            continue
        running.remove(victim)
        victim.kill()
        running.append(spare.pop())
        running[-1].begin()
        done += 1
        told(done)
    for roller in spare:
        roller.kill()
    for roller in running:
        roller.wait()
    return done


def _one_at_work(rollers: list[Roller], chance: Random) -> Roller | None:
    """Any that is in a transaction, when there is one. None: all have ended."""
    while any(roller.is_running for roller in rollers):
        for roller in chance.sample(rollers, len(rollers)):
            if roller.is_at_work():
                return roller
        time.sleep(LOOK_EVERY_S)
    return None


def main() -> None:
    import django

    django.setup()
    from django.db import connection

    from apps.usage.rollup import roll_up

    connection.ensure_connection()
    print("ready", flush=True)
    input()
    print(roll_up(), flush=True)


if __name__ == "__main__":
    main()
