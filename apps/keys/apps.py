from django.apps import AppConfig
from django.core.checks import Tags, register

from apps.keys.checks import check_key_ring, check_secrets_open


class KeysConfig(AppConfig):
    name = "apps.keys"

    def ready(self) -> None:
        register(check_key_ring)
        register(check_secrets_open, Tags.database)
