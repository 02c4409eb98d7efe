"""`make bench`: what the proxy costs, beside nginx proxying the same calls in the same run.

`python -m tests.benchmarks [cost] [streams] [latency] [slow] [scaling] [shipping] [rolling]` measures only these.

Ours runs with everything on: every limit set, so that each call goes through Redis; intent and outcome
made durable; the shipper moving them to PostgreSQL meanwhile. Rounds of the two take turns, so that a
busy machine is busy for both. CPU time is that of the serving process, all its threads, user and kernel.

The provider takes 40 ms to answer, so that both servers have the same load: some 1,500 calls a second over
64 connections. A server that is flooded does many calls a system call, and looks cheaper than it is in use.
"""

import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import uvloop

from tests.benchmarks import load
from tests.benchmarks.load import Result
from tests.benchmarks.nginx import NginxMissing
from tests.benchmarks.servers import Server, Servers, start_servers
from tests.benchmarks.table import Bar, print_table
from tests.rig.processes import ROOT

Measure = Callable[[Servers], Awaitable[list[Bar]]]

# Bars
MOST_TIMES_NGINX = 8.0
MOST_PLAIN_CALLS_A_STREAM = 1000 / 21  # 1 ms for 50 chunks where nginx takes 21 µs for a plain call
MOST_ADDED_MS = 2.0  # at one connection, median
MOST_MB = 300.0  # with 1,000 streams in one process
LEAST_SCALING = 1.7  # of two processes over one
LEAST_ROWS_A_SECOND = 30_000.0  # shipped, and rolled up, by one worker
MOST_GROWTH = 1.3  # of the time a row, from a tenth of the rows to all
CORES_TO_SCALE = 4  # two for the proxies, two for the provider and the load

# Sizes
ROUNDS = int(os.environ.get("TOLLGATE_BENCH_ROUNDS", "5"))
CONNECTIONS = 64
CALLS = 4_000
STREAMS = 512
SINGLE_CALLS = 1_000
PACE_MS = 40
STREAM_PACE_MS = 10  # between chunks
SLOW_STREAMS = 1_000
SLOW_PACE_MS = 300
ROWS = int(os.environ.get("TOLLGATE_BENCH_ROWS", "1000000"))


def main(*wanted: str) -> int:
    """Measure and print. 0: every bar was reached; 1: one was missed; 2: it can't be measured here."""
    if unknown := set(wanted) - {*MEASURES, *OF_USAGE}:
        print(f"There is no measure {', '.join(unknown)}.", file=sys.stderr)
        return 2
    measures = [measure for name, measure in MEASURES.items() if name in wanted or not wanted]
    bars: list[Bar] = []
    try:
        if measures:
            with start_servers() as servers:
                bars += uvloop.run(_measure(servers, measures))
        for name, measure in OF_USAGE.items():
            if name in wanted or not wanted:
                bars += measure()
    except NginxMissing as error:
        print(error, file=sys.stderr)
        return 2
    print_table(bars)
    return 0 if all(bar.is_met for bar in bars) else 1


async def _measure(servers: Servers, measures: Sequence[Measure]) -> list[Bar]:
    return [bar for measure in measures for bar in await measure(servers)]


async def _cost(servers: Servers) -> list[Bar]:
    request = servers.request(pace_ms=PACE_MS)
    under_all = servers.request(key=servers.limited_key, pace_ms=PACE_MS)
    theirs, unkept, ours, limited = await _rounds(
        [
            Turn(servers.nginx, request, CALLS),
            Turn(servers.nginx_unkept, request, CALLS),
            Turn(servers.ours, request, CALLS),
            Turn(servers.ours, under_all, CALLS),
        ]
    )
    ratio = statistics.median(ours) / statistics.median(theirs)
    ratio_limited = statistics.median(limited) / statistics.median(theirs)
    note = f"ours {_told(ours)}, nginx {_told(theirs)}; minima {min(ours) / min(theirs):.1f} x"
    under = f"ours {_told(limited)}; minima {min(limited) / min(theirs):.1f} x"
    without = f"nginx {_told(unkept)}; minima {min(ours) / min(unkept):.1f} x"
    return [
        Bar("CPU a plain call, over nginx's", ratio, "x", most=MOST_TIMES_NGINX, note=note),
        Bar("  with each limit of key and end user, too", ratio_limited, "x", note=under),
        Bar(
            "  over nginx's that keeps no connections",
            statistics.median(ours) / statistics.median(unkept),
            "x",
            note=without,
        ),
    ]


async def _streams(servers: Servers) -> list[Bar]:
    request = servers.request(stream=True, pace_ms=STREAM_PACE_MS)
    theirs, ours, plain = await _rounds(
        [
            Turn(servers.nginx, request, STREAMS, is_streamed=True),
            Turn(servers.ours, request, STREAMS, is_streamed=True),
            Turn(servers.nginx, servers.request(pace_ms=PACE_MS), CALLS),
        ]
    )
    cost = statistics.median(ours) / statistics.median(plain)
    note = (
        f"ours {_told(ours)}, nginx {_told(theirs)}; a plain call {_told(plain)}; minima {min(ours) / min(plain):.1f} x"
    )
    return [
        Bar("CPU a stream of 50 chunks", statistics.median(ours) * 1000, "ms"),
        Bar("  over a plain call of nginx's", cost, "x", most=MOST_PLAIN_CALLS_A_STREAM, note=note),
    ]


class Turn(NamedTuple):
    """What a server does in each round."""

    server: Server
    request: bytes
    calls: int
    is_streamed: bool = False


async def _rounds(turns: Sequence[Turn]) -> list[list[float]]:
    """CPU seconds a call of each turn, a figure a round."""
    figures: list[list[float]] = [[] for _ in turns]
    for number in range(ROUNDS + 1):
        for (server, request, calls, is_streamed), seconds in zip(turns, figures, strict=True):
            before = server.cpu_s()
            await _drive(server, request, calls=calls, is_streamed=is_streamed)
            if number:  # the first warms up
                seconds.append((server.cpu_s() - before) / calls)
    return figures


async def _drive(server: Server, request: bytes, *, calls: int, is_streamed: bool = False) -> Result:
    port = server.streamed_port if is_streamed else server.port
    gc.collect()
    result = await load.drive(port, request, calls=calls, connections=CONNECTIONS)
    if result.errors or result.calls != calls:
        raise RuntimeError(f"{server.name}: {result.calls} of {calls} calls ended, {result.errors} with an error")
    return result


async def _added_latency(servers: Servers) -> list[Bar]:
    medians: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for server in (servers.provider, servers.nginx, servers.ours):
            result = await load.drive(server.port, servers.request(), calls=SINGLE_CALLS, connections=1)
            medians.setdefault(server.name, []).append(result.median_s * 1000)
    middle = {name: statistics.median(figures) for name, figures in medians.items()}
    added = middle["ours"] - middle["straight"]
    note = f"straight {middle['straight']:.2f} ms, nginx adds {middle['nginx'] - middle['straight']:.2f} ms"
    return [Bar("latency added, median, one connection", added, "ms", most=MOST_ADDED_MS, note=note)]


async def _slow_streams(servers: Servers) -> list[Bar]:
    request = servers.request(stream=True, pace_ms=SLOW_PACE_MS)
    peak, before = 0.0, servers.ours.memory_mb()
    running = asyncio.create_task(load.drive(servers.ours.port, request, calls=SLOW_STREAMS, connections=SLOW_STREAMS))
    while not running.done():
        peak = max(peak, servers.ours.memory_mb())
        await asyncio.sleep(0.1)
    result = running.result()
    failed = result.errors + SLOW_STREAMS - result.calls
    return [
        Bar("1,000 slow streams at once: failed", failed, "", most=0, note=f"each took {result.median_s:.1f} s"),
        Bar("1,000 slow streams at once: memory", peak, "MB", most=MOST_MB, note=f"{before:.0f} MB before"),
    ]


async def _scaling(servers: Servers) -> list[Bar]:
    """Throughput of two processes over that of one."""
    rates = {}
    for count in (1, 2):
        with servers.proxies(count) as server:
            await _drive(server, servers.request(), calls=CALLS // 4)
            results = [await _drive(server, servers.request(), calls=CALLS) for _ in range(ROUNDS)]
            rates[count] = statistics.median(result.rate for result in results)
    note = f"{rates[1]:,.0f} and {rates[2]:,.0f} calls a second"
    cores = len(os.sched_getaffinity(0))
    if cores < CORES_TO_SCALE:
        note += f"; not judged: {cores} cores, and the provider and the load need some"
        return [Bar("two processes over one", rates[2] / rates[1], "x", note=note)]
    return [Bar("two processes over one", rates[2] / rates[1], "x", least=LEAST_SCALING, note=note)]


MEASURES: dict[str, Measure] = {
    "cost": _cost,
    "streams": _streams,
    "latency": _added_latency,
    "slow": _slow_streams,
    "scaling": _scaling,
}


def _shipping() -> list[Bar]:
    """From the spool to PostgreSQL, and from there into the hours: in a process and a database of their own."""
    command = [sys.executable, "-m", "tests.benchmarks.ship_rollup", str(ROWS), "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    few, many = json.loads(done.stdout)
    growth = many["seconds"] / many["rows"] / (few["seconds"] / few["rows"])
    own, theirs = (many[cpu] / many["rows"] * 1e6 for cpu in ("own_cpu", "postgres_cpu"))
    note = f"{many['rows']:,} in {many['seconds']:.1f} s; CPU each: {own:.1f} µs, and {theirs:.1f} µs in PostgreSQL"
    return [
        Bar(
            "requests shipped and rolled up a second",
            many["rows"] / many["seconds"],
            "",
            least=LEAST_ROWS_A_SECOND,
            note=note,
        ),
        Bar("time a request, of 10 times as many", growth, "x", most=MOST_GROWTH),
    ]


def _rolling() -> list[Bar]:
    """From PostgreSQL into the sums, with one worker and with two, each a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.roll_up", str(ROWS), "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)  # 1: a bar was missed
    return [Bar(**bar) for bar in json.loads(done.stdout)]


OF_USAGE: dict[str, Callable[[], list[Bar]]] = {"shipping": _shipping, "rolling": _rolling}


def _told(seconds: list[float]) -> str:
    return f"{min(seconds) * 1e6:.0f}/{statistics.median(seconds) * 1e6:.0f} µs (min/median)"
