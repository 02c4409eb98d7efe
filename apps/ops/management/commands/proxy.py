from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from apps.ops.serving import add_listen_arguments, serve
from apps.proxy.guard import GuardedProtocol


class Command(BaseCommand):
    help = "Serve the proxy, and through it the pages (one process; run as many as there are cores)."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        add_listen_arguments(parser, port=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        serve(
            "config.asgi:application",
            fd=options["fd"],
            host=options["host"],
            port=options["port"],
            http=GuardedProtocol,
            lifespan="on",
            date_header=False,  # the answer passed on has one
            proxy_headers=bool(settings.TRUSTED_PROXIES),
            forwarded_allow_ips=settings.TRUSTED_PROXIES,
        )
