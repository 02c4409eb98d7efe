"""`manage.py sandbox`: the mock provider, for demos and for trying Tollgate without a paid key."""

import argparse
from collections.abc import Sequence

from apps.ops.serving import add_listen_arguments, serve


def main(arguments: Sequence[str]) -> int:
    """Serve the sandbox until SIGTERM; returns the status to exit with."""
    parser = argparse.ArgumentParser(prog="manage.py sandbox", description="Serve the mock provider.")
    add_listen_arguments(parser, port=8009)
    options = parser.parse_args(arguments)
    serve("apps.sandbox.app:app", fd=options.fd, host=options.host, port=options.port)
    return 0
