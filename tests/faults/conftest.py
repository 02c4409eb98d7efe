"""A proxy with little patience, and providers that fail."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.faults.failing import ANSWER, PATIENCE_S, Fault, Scene, plain
from tests.proxy.upstream.provider import Peer, Provider
from tests.rig.installation import Installation
from tests.rig.processes import listen, port_of


@pytest.fixture(scope="module")
def impatient_port(installation: Installation) -> Iterator[int]:
    patience = {"TOLLGATE_FIRST_BYTE_TIMEOUT": str(PATIENCE_S), "TOLLGATE_IDLE_TIMEOUT": str(PATIENCE_S)}
    with listen() as listener:
        (process,) = installation.proxies(1, fd=listener.fileno(), env=patience)
        yield port_of(listener)
        process.stop()


@pytest.fixture
async def scene(installation: Installation, impatient_port: int):
    """`scene(fault)`: a provider that answers with the fault."""
    running: list[Provider] = []

    async def start(fault: Fault) -> Scene:
        async def play(peer: Peer) -> None:
            while True:
                request = await peer.request()
                if b" good" in request.body:
                    peer.write(plain(ANSWER))
                else:
                    await fault(peer, request.body)

        provider = await Provider(play).__aenter__()
        running.append(provider)
        sandbox = f"http://127.0.0.1:{provider.origin.port}"
        tenant = await asyncio.to_thread(installation.tenant, sandbox=sandbox, monthly_cap="1000")
        return Scene(installation, tenant, impatient_port)

    yield start
    for provider in running:
        await provider.__aexit__()
