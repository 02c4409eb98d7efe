"""In what order one call's bytes go out, by the kernel's own account (L3)."""

import asyncio
import re
import shutil
from dataclasses import dataclass

import pytest

from tests.rig.calls import chat, gemini, messages
from tests.rig.client import call
from tests.rig.installation import Installation
from tests.rig.processes import listen, port_of, wait_until

CALLS = "trace=fdatasync,fsync,write,writev,pwrite64,pwritev,sendto,sendmsg"
LINE = re.compile(
    r"^(?P<pid>\d+) +(?P<what><\.\.\. )?(?P<name>\w+)(?: resumed>|\((?P<fd>\d+)<(?P<file>[^>]*)>)(?P<rest>.*)"
)

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not here: apt-get install strace")


@dataclass(frozen=True)
class Step:
    name: str  # of the system call
    file: str
    rest: str

    @property
    def is_of_spool(self) -> bool:
        return self.file.endswith(".seg")


def steps_of(trace: str) -> list[Step]:
    """The system calls in the order in which they ended; a write counts from its beginning."""
    steps, begun = [], {}
    for line in trace.splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        if match["what"]:  # resumed: a sync is done only now
            step = begun.pop((match["pid"], match["name"]), None)
            if step is not None:
                steps.append(step)
            continue
        step = Step(match["name"], match["file"], match["rest"])
        if line.endswith("<unfinished ...>") and "sync" in step.name:
            begun[match["pid"], match["name"]] = step
        else:
            steps.append(step)
    return steps


ASKS = {
    "chat": lambda key: chat(key),
    "chat streamed": lambda key: chat(key, is_streamed=True),
    "messages": lambda key: messages(key),
    "messages streamed": lambda key: messages(key, is_streamed=True),
    "gemini": lambda key: gemini(key),
    "gemini streamed": lambda key: gemini(key, is_streamed=True),
}


@pytest.mark.parametrize("ask_of", ASKS.values(), ids=ASKS)
async def test_the_end_goes_out_after_the_record_is_durable(installation: Installation, tmp_path, ask_of):
    tenant = installation.tenant()
    trace = tmp_path / "trace"
    with listen() as listener:
        (process,) = await asyncio.to_thread(installation.proxies, 1, fd=listener.fileno())
        await call(port_of(listener), ask_of(tenant.key))  # warm: keys, prices, connections
        command = ["strace", "-f", "-y", "-s", "100000", "-e", CALLS, "-o", str(trace), "-p", str(process.pid)]
        tracer = installation.start("strace", command)
        await asyncio.to_thread(wait_until, lambda: "attached" in tracer.said(), "strace is attached", 10.0)
        seen = await call(port_of(listener), ask_of(tenant.key))
        process.stop()
        tracer.popen.wait(10)
    assert seen.is_served
    steps = steps_of(trace.read_text())
    _assert_order(steps, seen.nonce)


def _assert_order(steps: list[Step], nonce: str) -> None:
    """Intent durable, then the provider is called; outcome durable, then the client sees the end."""
    writes = [at for at, step in enumerate(steps) if step.is_of_spool and "write" in step.name]
    syncs = [at for at, step in enumerate(steps) if step.is_of_spool and "sync" in step.name]
    assert len(writes) == len(syncs) == 2, steps
    asked = [
        at
        for at, step in enumerate(steps)
        if nonce in step.rest and not step.is_of_spool and "POST /v1" in step.rest and "sk-sandbox" in step.rest
    ]
    answered = [
        at
        for at, step in enumerate(steps)
        if (not step.is_of_spool and at > asked[0] and step.file.startswith("TCP")) or "socket" in step.file
    ]
    last = max(at for at in answered if steps[at].name != "fdatasync")
    assert writes[0] < syncs[0] < asked[0] < writes[1] < syncs[1] < last
