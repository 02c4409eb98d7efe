from django.apps import AppConfig
from django.core.checks import register

from apps.keys.checks import check_key_ring


class KeysConfig(AppConfig):
    name = "apps.keys"

    def ready(self) -> None:
        register(check_key_ring)
