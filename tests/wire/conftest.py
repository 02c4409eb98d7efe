from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.rig.desk import MODELS
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import listen, port_of
from tests.wire.scenarios import Clients, clients_of


class Proxied(NamedTuple):
    url: str
    tenant: Tenant


@pytest.fixture(scope="session")
def proxied(installation: Installation) -> Iterator[Proxied]:
    """A proxy process, and a customer who may call three providers through it."""
    with listen() as listener:
        (process,) = installation.proxies(fd=listener.fileno())
        yield Proxied(f"http://127.0.0.1:{port_of(listener)}", installation.tenant())
        process.stop()


@pytest.fixture(scope="session")
def port(proxied: Proxied) -> int:
    """Of that process, for tenants of one's own."""
    return int(proxied.url.rpartition(":")[2])


@pytest.fixture(scope="session")
def through(proxied: Proxied) -> Clients:
    """The SDKs, with a proxy key, at the proxy."""
    return clients_of(proxied.url, proxied.tenant.key, MODELS)


@pytest.fixture(scope="session")
def straight(installation: Installation) -> Clients:
    """The SDKs, with a key of the provider, at the provider."""
    return clients_of(f"http://127.0.0.1:{installation.sandbox_port}", "sk-sandbox-straight", MODELS)
