from django.apps import AppConfig
from django.db.backends.signals import connection_created

from apps.kit.connections import tell_first


class KitConfig(AppConfig):
    name = "apps.kit"

    def ready(self) -> None:
        """Sums are fast on every connection."""
        connection_created.connect(tell_first)
