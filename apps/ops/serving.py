"""uvicorn as we want it, for the proxy and for the sandbox. Knows no Django."""

import argparse
import gc
import resource
import socket
from typing import Any

import uvicorn

STREAMS_MAY_TAKE_S = 10
MOST_OPEN_FILES = 65_536


def add_listen_arguments(parser: argparse.ArgumentParser, *, port: int) -> None:
    """`--fd` for a socket that a parent bound, or `--host` and `--port`."""
    parser.add_argument("--fd", type=int, help="a listening socket, inherited")
    parser.add_argument("--host", default="127.0.0.1", help="on which address (127.0.0.1)")
    parser.add_argument("--port", type=int, default=port, help=f"on which port ({port})")


def serve(app: Any, *, fd: int | None, host: str, port: int, **settings: Any) -> None:
    """Serve an ASGI application until SIGTERM; streams get a few seconds to end."""
    _allow_open_files()
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        ws="none",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=STREAMS_MAY_TAKE_S,
        backlog=2048,
        **settings,
    )
    _spare_the_collector()
    inherited = [socket.socket(fileno=fd)] if fd is not None else None
    uvicorn.Server(config).run(sockets=inherited)


def _spare_the_collector() -> None:
    """What is loaded by now stays; and a call leaves next to no garbage that only the collector finds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _allow_open_files() -> None:
    """As many as the system lets us have: a call is two sockets, and the usual limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MOST_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
