"""What `manage.py check`, and so every start, makes sure of."""

from collections.abc import Sequence

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error

from apps.keys.errors import BadKeyRing


def check_key_ring(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """The vault's keys are keys: better no start than a first secret that cannot be stored."""
    from apps.keys.vault import vault  # needs the models, which are not ready when checks are registered

    try:
        vault()
    except BadKeyRing as error:
        return [Error(str(error), id="keys.E001")]
    return []
