"""manage.py ship [--once] [--poll SECONDS]"""

import signal
from argparse import ArgumentParser
from threading import Thread
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from apps.bodies.ship import BodyShipper
from apps.usage.retention import forget_shipped
from apps.usage.ship import Shipper

BODIES_MAY_TAKE_S = 5.0  # once the records are shipped; what is left waits in its spool


class Command(BaseCommand):
    help = "Takes what this host's spools hold to PostgreSQL, until SIGTERM or SIGINT. One a host is enough."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="ship what is there now, and end")
        parser.add_argument("--poll", type=float, default=0.5, metavar="SECONDS", help="how often to look")

    def handle(self, *args: Any, **options: Any) -> None:
        shipper, bodies = Shipper(settings.SPOOL_DIRECTORY), BodyShipper(settings.BODY_SPOOL_DIRECTORY)
        if options["once"]:
            self.stdout.write(f"{shipper.ship()} new requests")
            bodies.ship()
            forget_shipped(settings.SPOOL_DIRECTORY, at=timezone.now())
            return

        def stop(number: int, frame: FrameType | None) -> None:
            shipper.stop()
            bodies.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        beside = Thread(target=lambda: bodies.run(poll_s=options["poll"]), name="bodies", daemon=True)
        beside.start()
        shipper.run(poll_s=options["poll"])
        beside.join(BODIES_MAY_TAKE_S)
