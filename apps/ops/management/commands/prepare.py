from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from apps.ops.demo import make_demo
from apps.ops.static_files import collect_static_files
from apps.pricing.models import ModelPrice
from apps.pricing.sync import source_of_prices, sync_prices

LOCK = 7_017_473  # any number that nobody else takes


class Command(BaseCommand):
    help = "Make all ready to serve: tables, static files, list prices, demo data. Repeating it is harmless."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="make no demo data")

    def handle(self, *args: Any, **options: Any) -> None:
        with _one_at_a_time():
            if _are_migrations_missing():
                self.stdout.write("making the tables")
                call_command("migrate", verbosity=0, interactive=False)
            if collect_static_files():
                self.stdout.write("collected the static files")
            if not ModelPrice.objects.filter(source=source_of_prices()).exists():
                sync_prices(at=timezone.now())
                self.stdout.write("copied the list prices of the providers")
            if not options["no_demo"] and make_demo(settings.DATA, sandbox_url=settings.SANDBOX_URL):
                self.stdout.write("made demo data")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold a lock in PostgreSQL, so that of two who begin together the second finds all done."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _are_migrations_missing() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
