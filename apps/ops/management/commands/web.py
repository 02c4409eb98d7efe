import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.util import import_app
from gunicorn.workers.base import Worker

from apps.ops.embedded import die_with_parent


class Web(BaseApplication):
    """gunicorn with threads: Django over WSGI, several times what its ASGI handler does."""

    def __init__(self, *, bind: str, workers: int, threads: int) -> None:
        self._wanted = {
            "bind": bind,
            "workers": workers,
            "threads": threads,
            "worker_class": "gthread",
            "preload_app": True,
            "worker_tmp_dir": "/dev/shm",  # noqa: S108 (its heartbeat file must not wait for a disk)
            "graceful_timeout": 10,
            "keepalive": 75,  # longer than the proxy keeps a connection to us
            "umask": 0o077,
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_fork": _die_with_parent,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._wanted.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return import_app(settings.WSGI_APPLICATION.replace(".application", ":application"))


def _die_with_parent(arbiter: Arbiter, worker: Worker) -> None:
    die_with_parent(signal.SIGTERM)()


class Command(BaseCommand):
    help = "Serve the pages: console, portal, sign-in, admin."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bind", default=settings.WEB_ORIGIN, help="unix:/path or host:port")
        parser.add_argument("--workers", type=int, default=1, help="processes (1)")
        parser.add_argument("--threads", type=int, default=8, help="requests at once, a process (8)")

    def handle(self, *args: Any, **options: Any) -> None:
        Web(bind=options["bind"] or "127.0.0.1:8001", workers=options["workers"], threads=options["threads"]).run()
