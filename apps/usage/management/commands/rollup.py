"""manage.py rollup [--json]"""

from typing import Any

from django.conf import settings

from apps.kit.commands import Command as BaseCommand
from apps.usage.rollup import roll_up
from apps.usage.ship import Shipper


class Command(BaseCommand):
    help = "Ships what the spools of this host hold and rolls it up, now: what the shipper and the workers do anyway."
    requires_system_checks = ()

    def run(self, **options: Any) -> dict[str, object]:
        shipped = Shipper(settings.SPOOL_DIRECTORY).ship()
        return {"shipped": shipped, "rolled_up": roll_up()}
