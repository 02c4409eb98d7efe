"""What the benchmark measures: nginx and our proxy in front of one mock provider, each a process of its own."""

import contextlib
import json
import resource
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import nginx
from tests.benchmarks.load import post
from tests.rig.desk import MODELS
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import Process, listen, port_of, wait_until

LIMITS = {  # of every kind, so that each is looked at, and none is reached
    "requests_per_minute": 100_000_000,
    "requests_per_hour": 1_000_000_000,
    "requests_per_day": 1_000_000_000,
    "tokens_per_minute": 2_000_000_000,
    "max_concurrent": 100_000,
    "daily_cap": "900000",
    "monthly_cap": "9000000",
    "total_cap": "9000000",
}
POLICY = "1000000000;w=3600;u=request;s=user"  # and one that the call asks for itself
OPEN_FILES = 16_384
SDK_HEADERS = {  # as the OpenAI SDK for Python sends them
    "accept-encoding": "gzip, deflate, br",
    "connection": "keep-alive",
    "accept": "application/json",
    "content-type": "application/json",
    "user-agent": "OpenAI/Python 3.52.0",
    "x-stainless-lang": "python",
    "x-stainless-package-version": "3.52.0",
    "x-stainless-os": "Linux",
    "x-stainless-arch": "x64",
    "x-stainless-runtime": "CPython",
    "x-stainless-runtime-version": "3.11.7",
    "x-stainless-async": "false",
    "x-stainless-retry-count": "0",
    "x-stainless-read-timeout": "600",
}


@dataclass(frozen=True)
class Server:
    """Something that answers, and how much of the CPU it has used."""

    name: str
    port: int
    streamed_port: int
    processes: list[Process]

    def cpu_s(self) -> float:
        return sum(process.cpu_s() for process in self.processes)

    def memory_mb(self) -> float:
        return sum(process.memory_mb() for process in self.processes)


@dataclass(frozen=True)
class Servers:
    provider: Server
    nginx: Server
    nginx_unkept: Server
    ours: Server
    installation: Installation
    tenant: Tenant
    limited_key: str  # under each limit of customer, key and end user, and one of its own

    def request(self, *, key: str = "", **more: object) -> bytes:
        """A call as bytes, as the OpenAI SDK would make it."""
        said = [
            {"role": "system", "content": "You are a helpful assistant who answers briefly. " * 4},
            {"role": "user", "content": "Tell me about tolls, and about the bridges where they are paid. " * 4},
        ]
        body = {"model": MODELS["openai"], "messages": said, "max_tokens": 256, "user": "end-user-7", **more}
        headers = SDK_HEADERS | {
            "authorization": f"Bearer {key or self.tenant.key}",
            "helicone-property-plan": "pro",
        }
        if key == self.limited_key:
            headers["helicone-ratelimit-policy"] = POLICY
        return post("/v1/chat/completions", headers, json.dumps(body, separators=(",", ":")).encode())

    @contextlib.contextmanager
    def proxies(self, count: int) -> Iterator[Server]:
        """So many proxy processes on one port."""
        with listen() as listener:
            processes = self.installation.proxies(count, fd=listener.fileno())
            port = port_of(listener)
            yield Server(f"{count} of ours", port, port, processes)
            for process in processes:
                process.stop()


@contextlib.contextmanager
def start_servers() -> Iterator[Servers]:
    """All of them, warm. Raises NginxMissing."""
    with contextlib.ExitStack() as stack:
        installation = stack.enter_context(Installation())
        provider = _start_provider(installation, stack)
        beside, unkept = _start_nginx(installation, provider)
        tenant = installation.tenant(sandbox=f"http://127.0.0.1:{provider.port}", **LIMITS)
        stack.enter_context(installation.shipping())
        listener = stack.enter_context(listen())
        processes = installation.proxies(1, fd=listener.fileno())
        _allow_open_files()
        ours = Server("ours", port_of(listener), port_of(listener), processes)
        yield Servers(provider, beside, unkept, ours, installation, tenant, _limited_key(installation, provider))


def _limited_key(installation: Installation, provider: Server) -> str:
    tenant = installation.tenant(sandbox=f"http://127.0.0.1:{provider.port}", **LIMITS)
    installation.desk("limit_end_user", customer=tenant.customer, **LIMITS)
    minted: dict[str, str] = installation.desk("mint", customer=tenant.customer, **LIMITS)
    return minted["key"]


def _start_provider(installation: Installation, stack: contextlib.ExitStack) -> Server:
    listener = stack.enter_context(listen())
    fd = listener.fileno()
    process = installation.start("mock", [sys.executable, "-m", "tests.benchmarks.mock", str(fd)], pass_fds=[fd])
    return Server("straight", port_of(listener), port_of(listener), [process])


def _start_nginx(installation: Installation, provider: Server) -> tuple[Server, Server]:
    folder = Path(installation.folder, "nginx")
    folder.mkdir()
    plain, unkept, streamed = _free_ports(3)
    command = nginx.command(folder, provider=provider.port, plain=plain, unkept=unkept, streamed=streamed)
    process = installation.start("nginx", command)
    wait_until(lambda: _accepts(streamed), f"nginx listens:\n{process.said()}", 5.0)
    return Server("nginx", plain, streamed, [process]), Server("nginx, unkept", unkept, streamed, [process])


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        return [port_of(stack.enter_context(listen())) for _ in range(count)]


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _allow_open_files() -> None:
    """For ourselves, not for the servers: they have to see to it themselves."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
