"""A client that hangs up at any byte is charged what the provider charges, and no connection is leaked."""

import asyncio
import itertools
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.size import size
from tests.faults.verify import assert_nothing_is_lost, open_holds
from tests.rig.calls import chat, mixed
from tests.rig.client import Ask, Seen, call
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import Process, listen, port_of

CALLS = size(50, 1_000)
AT_ONCE = 10
MOST_BYTES = 8_000  # of an answer that are read; most have less
CANCELLED, ESTIMATED = 3, 2


class Served:
    """A proxy of the installation, and the port that it listens at."""

    def __init__(self, installation: Installation, process: Process, port: int) -> None:
        self.installation, self.process, self.port = installation, process, port

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.popen.pid}/fd").iterdir()))


@pytest.fixture
def served(installation: Installation):
    env = {"TOLLGATE_DRAIN_SECONDS": "5", "TOLLGATE_DRAIN_BYTES": "20000"}
    with listen() as listener:
        (process,) = installation.proxies(1, fd=listener.fileno(), env=env)
        yield Served(installation, process, port_of(listener))
        process.stop()


async def hang_up(port: int, ask: Ask, after: int) -> Seen:
    """Read so many bytes of the answer, or all of it if it has less, and cut the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ask.raw)
    seen = Seen(ask)
    try:
        while len(seen.body) < after and not seen.body.endswith(b"0\r\n\r\n"):
            if not (chunk := await reader.read(after - len(seen.body))):
                break
            seen.body += chunk
            seen.status = 200
    finally:
        writer.transport.abort()
    return seen


async def settled(installation: Installation, tenant: Tenant, calls: int, within_s: float = 60.0) -> None:
    """Return when all calls are recorded, and nothing is held for them any more."""
    async with asyncio.timeout(within_s):
        while True:
            await asyncio.to_thread(installation.run, "rollup")
            (row,) = installation.rows(
                "SELECT count(*) AS calls FROM usage_request WHERE customer_id = %s AND result <> 4", tenant.customer
            )
            if row["calls"] >= calls and not open_holds(installation, tenant):
                return
            await asyncio.sleep(0.2)


@pytest.mark.timeout(600)
async def test_a_client_that_hangs_up_at_any_byte_is_charged_what_the_provider_charges(served: Served):
    installation, seed = served.installation, random.randrange(10**9)
    print("seed", seed)
    chance, tenant = random.Random(seed), installation.tenant(monthly_cap="1000")
    await asyncio.gather(*(call(served.port, chat(tenant.key)) for _ in range(AT_ONCE)))
    before = served.descriptors()
    asks = iter(itertools.islice(mixed(tenant.key, words="sandbox:pace=1 sandbox:tokens=30"), CALLS))
    seen: list[Seen] = []

    async def client() -> None:
        seen.extend([await hang_up(served.port, ask, chance.randrange(MOST_BYTES)) for ask in asks])

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    assert len(seen) == CALLS
    await settled(installation, tenant, AT_ONCE + CALLS)
    assert_nothing_is_lost(installation, tenant, seen)
    nonces = {one.nonce for one in seen}
    ends = Counter(line["end"] for line in installation.provider_calls() if line["nonce"] in nonces)
    assert set(ends) == {"complete"}  # each was read on to its end
    await asyncio.sleep(0.5)
    assert served.descriptors() <= before + AT_ONCE


SLOW = "sandbox:pace=50 sandbox:tokens=400"


def rows_of(installation: Installation, tenant: Tenant) -> list[dict[str, object]]:
    return installation.rows(
        "SELECT * FROM usage_request WHERE customer_id = %s AND result <> 0 ORDER BY started_at", tenant.customer
    )


async def test_an_organization_may_have_it_cut_off_and_estimated(served: Served):
    installation, tenant = served.installation, served.installation.tenant()
    installation.desk("update_organization", organization=tenant.organization, on_client_gone="cut_off")
    await call(served.port, chat(tenant.key))
    before = served.descriptors()
    asks = [chat(tenant.key, words=SLOW, is_streamed=True) for _ in range(AT_ONCE)]
    seen = await asyncio.gather(*(hang_up(served.port, ask, 2_000) for ask in asks))
    await settled(installation, tenant, 1 + AT_ONCE, within_s=15)  # to their ends they would have taken 20 s
    rows = rows_of(installation, tenant)
    assert [(row["result"], row["usage_source"]) for row in rows] == [(CANCELLED, ESTIMATED)] * AT_ONCE
    assert all(row["output_tokens"] > 0 and row["cost"] > 0 for row in rows)
    nonces = {one.nonce for one in seen}
    ends = [line["end"] for line in installation.provider_calls() if line["nonce"] in nonces]
    assert ends == ["cut"] * AT_ONCE
    assert served.descriptors() <= before + 1


LIMITS = [
    pytest.param("sandbox:pace=100 sandbox:tokens=400", id="seconds"),  # 5 of them are waited for
    pytest.param("sandbox:pace=1 sandbox:tokens=2000", id="bytes"),  # 20,000 of them are read
]


@pytest.mark.parametrize("words", LIMITS)
async def test_what_is_read_on_for_nobody_has_an_end(served: Served, words):
    installation, tenant = served.installation, served.installation.tenant()
    ask = chat(tenant.key, words=words, is_streamed=True)
    await hang_up(served.port, ask, 1_000)
    await settled(installation, tenant, 1, within_s=30)
    (row,) = rows_of(installation, tenant)
    assert (row["result"], row["usage_source"]) == (CANCELLED, ESTIMATED)
    assert 0 < row["output_tokens"] < 2_000
    (line,) = [line for line in installation.provider_calls() if line["nonce"] == ask.nonce]
    assert line["end"] == "cut"
    assert line["sent"] < line["of"]
