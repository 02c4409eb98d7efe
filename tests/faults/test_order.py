"""In what order one call's bytes go out, by the kernel's own account (L3)."""

import asyncio
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.size import IS_LONG
from tests.rig.calls import chat, gemini, messages
from tests.rig.client import Seen, call
from tests.rig.installation import Installation
from tests.rig.processes import Process, listen, port_of, wait_until

CALLS = "trace=fdatasync,fsync,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg"
LINE = re.compile(
    r"^(?P<pid>\d+) +(?:(?P<resumed><\.\.\. )\w+ resumed>|(?P<name>\w+)\(\d+<(?P<file>.*?)>(?=[,)]))(?P<rest>.*)"
)

only_long = pytest.mark.skipif(not IS_LONG, reason="make faults")
pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not here: apt-get install strace")


@dataclass(frozen=True)
class Step:
    """A system call that writes or syncs."""

    name: str
    file: str
    rest: str

    @property
    def is_of_spool(self) -> bool:
        return self.file.endswith(".seg")

    @property
    def is_sync(self) -> bool:
        return "sync" in self.name or "RWF_DSYNC" in self.rest


def steps_of(trace: str) -> list[Step]:
    """The system calls in order: a sync where it ended, a write where it began."""
    steps: list[Step] = []
    begun: dict[str, Step] = {}
    for line in trace.splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        if match["resumed"]:
            if match["pid"] in begun:
                steps.append(begun.pop(match["pid"]))
            continue
        step = Step(match["name"], match["file"], match["rest"])
        if step.is_sync and line.endswith("<unfinished ...>"):
            begun[match["pid"]] = step
        else:
            steps.append(step)
    return steps


ASKS = [
    pytest.param(chat, False, id="chat"),
    pytest.param(chat, True, id="chat streamed"),
    pytest.param(messages, True, id="messages streamed", marks=only_long),
    pytest.param(messages, False, id="messages", marks=only_long),
    pytest.param(gemini, False, id="gemini", marks=only_long),
    pytest.param(gemini, True, id="gemini streamed"),
]


def _is_traced(process: Process) -> bool:
    """Whether every thread of it is."""
    statuses = [status.read_text() for status in Path(f"/proc/{process.pid}/task").glob("*/status")]
    return not [status for status in statuses if "TracerPid:\t0" in status]


@pytest.mark.parametrize(("ask_of", "is_streamed"), ASKS)
async def test_the_end_goes_out_after_the_record_is_durable(installation: Installation, tmp_path, ask_of, is_streamed):
    tenant = installation.tenant()
    trace = tmp_path / "trace"
    with listen() as listener:
        port = port_of(listener)
        (process,) = await asyncio.to_thread(installation.proxies, 1, fd=listener.fileno())
        for _ in range(3):  # warm: keys, prices, connections
            await call(port, ask_of(tenant.key, is_streamed=is_streamed))
        command = ["strace", "-f", "-yy", "-s", "100000", "-e", CALLS, "-o", str(trace), "-p", str(process.pid)]
        tracer = installation.start("strace", command)
        await asyncio.to_thread(wait_until, lambda: _is_traced(process), "strace is attached", 10.0)
        seen = await call(port, ask_of(tenant.key, is_streamed=is_streamed))
        process.stop()
        tracer.popen.wait(10)
    assert seen.is_served
    _assert_order(steps_of(trace.read_text()), seen, f"127.0.0.1:{port}->", f"->127.0.0.1:{installation.sandbox_port}")


def _assert_order(steps: list[Step], seen: Seen, to_client: str, to_provider: str) -> None:
    """Intent durable, then the provider is called; outcome durable, then the client is told the end."""
    of_spool = [at for at, step in enumerate(steps) if step.is_of_spool]
    assert [steps[at].is_sync for at in of_spool] == [True, True]
    intended, recorded = of_spool
    asked = [at for at, step in enumerate(steps) if to_provider in step.file and seen.nonce in step.rest]
    answered = [at for at, step in enumerate(steps) if to_client in step.file]
    assert len(asked) == 1
    assert intended < asked[0] < recorded < answered[-1]
    end = seen.ask.end.decode()
    before = [steps[at].rest for at in answered if at < recorded]
    assert bool(before) == seen.ask.is_streamed
    assert not end or not [rest for rest in before if end in rest]
