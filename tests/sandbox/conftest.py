from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.processes import Process, listen, manage, port_of


@pytest.fixture(scope="session")
def ledger(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sandbox") / "ledger"


@pytest.fixture(scope="session")
def sandbox(ledger: Path) -> Iterator[str]:
    """The URL of a sandbox that waits for nothing."""
    env = {"TOLLGATE_SANDBOX_PACE": "0,0", "TOLLGATE_SANDBOX_LEDGER": str(ledger)}
    with listen() as listener:
        fd = listener.fileno()
        process = Process(manage("sandbox", "--fd", str(fd)), env, ledger.with_name("log"), pass_fds=[fd])
        yield f"http://127.0.0.1:{port_of(listener)}"
        process.stop()
