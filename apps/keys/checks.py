"""What `manage.py check`, and so every start, makes sure of."""

from collections.abc import Sequence

from django.apps import AppConfig
from django.core import checks
from django.db import DatabaseError

from apps.keys.errors import BadKeyRing, VaultError


def check_key_ring(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[checks.CheckMessage]:
    """The vault's keys are keys: better no start than a first secret that cannot be stored."""
    from apps.keys.vault import vault  # needs the models, which are not ready when checks are registered

    try:
        vault()
    except BadKeyRing as error:
        return [checks.Error(str(error), id="keys.E001")]
    return []


def check_secrets_open(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: object
) -> list[checks.CheckMessage]:
    """What is stored opens with the keys at hand, tried on the newest secret of each vault key.

    A warning, since whatever else opens is to be served; asked by `migrate` and `check --database default`.
    """
    from apps.keys.models import ProviderKey
    from apps.keys.vault import place_of, sealed_in, vault

    if not databases:
        return []
    warnings: list[checks.CheckMessage] = []
    try:
        for key in ProviderKey.objects.order_by("kek_id", "-created_at").distinct("kek_id"):
            try:
                vault().rewrap(sealed_in(key), place_of(key))
            except VaultError as error:
                warnings.append(checks.Warning(f"Provider key {key.pk}: {error}", id="keys.W001"))
    except DatabaseError:  # the tables are still to be made
        return []
    return warnings
