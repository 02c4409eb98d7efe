"""Redis, or the Valkey that took its place: with a log of its writes, so that it survives a crash."""

import signal
import socket
from pathlib import Path
from urllib.parse import quote

from apps.ops.embedded.binaries import find_redis, usable
from apps.ops.embedded.home import Home
from apps.ops.embedded.server import Output, Server, launch, lock_of

REDIS_SOCKET = "redis.sock"


def start_redis(home: Home, *, output: Output, is_ephemeral: bool = False) -> Server:
    """A Redis on `home` that keeps all but its last second through a crash. Ephemeral: keeps nothing."""
    path = home.run / REDIS_SOCKET
    options = ["--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--save", ""]
    options += [
        "--dir",
        str(home.data / "redis"),
        "--loglevel",
        "warning",
        "--maxmemory-policy",
        "noeviction",
    ]
    options += ["--appendonly", "no"] if is_ephemeral else ["--appendonly", "yes", "--appendfsync", "everysec"]
    with lock_of("redis", home) as lock:
        return launch(
            "redis",
            [str(usable(find_redis(), home)), *options],
            f"unix://{quote(str(path))}",
            home,
            stop_signal=signal.SIGTERM,
            is_ready=lambda: _answers_ping(path),
            output=output,
            lock=lock,
        )


def _answers_ping(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")  # "-LOADING" while it reads what it kept
        except OSError:
            return False
