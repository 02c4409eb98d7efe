"""Moving the vault to a new key-encryption key."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import transaction

from apps.accounts import audit
from apps.keys.errors import VaultError
from apps.keys.models import DataKey, ProviderKey
from apps.keys.sealed import SealedFields
from apps.keys.sealing import wrap_again
from apps.keys.vault import place_of, sealed_in, vault

KEYS_AT_ONCE = 500
NO_SECRET = ""  # the key of a row that keeps none


@dataclass
class Rotation:
    """What a run did."""

    newest: str  # the id of the key that now seals everything it could open
    rotated: int = 0  # provider keys
    data_keys: int = 0  # under which request bodies are sealed
    sealed: int = 0  # rows of other rooms, such as channels of alerts
    failed: dict[UUID, str] = field(default_factory=dict)  # keys that did not open, and why
    unused: list[str] = field(default_factory=list)  # ids that seal nothing any more: they may leave the ring


def rotate_vault() -> Rotation:
    """Wrap each row's data key under the ring's newest key, a row a transaction.

    The secrets themselves are not opened, and a reader finds the row before or after, never between. A run
    beside another, or after one that was killed, does what is left. A row that does not open is told of and
    left as it is.
    """
    rotation = Rotation(newest=vault().newest_id)
    stale = ProviderKey.objects.exclude(kek_id=rotation.newest)
    for key_id in list(stale.values_list("pk", flat=True).order_by("pk")):
        try:
            rotation.rotated += _rotate(key_id, rotation.newest)
        except VaultError as error:
            rotation.failed[key_id] = str(error)
    rotation.data_keys = _rotate_data_keys(rotation)
    for model in _sealed_models():
        rotation.sealed += _rotate_rows(model, rotation)
    in_use = set(ProviderKey.objects.values_list("kek_id", flat=True).distinct())
    keeping: list[type[Any]] = [DataKey, *_sealed_models()]
    for model in keeping:
        in_use |= set(model.objects.values_list("kek_id", flat=True).distinct())
    rotation.unused = sorted(vault().kek_ids - in_use - {rotation.newest})
    return rotation


def _rotate_data_keys(rotation: Rotation) -> int:
    """The same for data keys, many a transaction: there may be thousands, and none is any person's secret."""
    rotated = 0
    stale = DataKey.objects.exclude(kek_id=rotation.newest).order_by("pk").values_list("pk", flat=True)
    ids = list(stale)
    for start in range(0, len(ids), KEYS_AT_ONCE):
        rotated += _rotate_some(ids[start : start + KEYS_AT_ONCE], rotation)
    return rotated


def _sealed_models() -> list[type[Any]]:
    """The models of other rooms that keep secrets of their own."""
    return [model for model in apps.get_models() if issubclass(model, SealedFields)]


def _rotate_rows(model: type[Any], rotation: Rotation) -> int:
    """The same for their rows, a row a transaction; those that keep no secret have no key."""
    rotated = 0
    stale = model.objects.exclude(kek_id__in=(rotation.newest, NO_SECRET)).order_by("pk")
    for row_id in list(stale.values_list("pk", flat=True)):
        try:
            rotated += _rotate_row(model, row_id, rotation.newest)
        except VaultError as error:
            rotation.failed[row_id] = str(error)
    return rotated


@transaction.atomic
def _rotate_row(model: type[Any], row_id: UUID, newest: str) -> bool:
    row = model.objects.select_for_update(of=("self",)).filter(pk=row_id).exclude(kek_id=newest).first()
    if row is None:
        return False
    old = row.kek_id
    row.rewrap()
    row.save(update_fields=["wrapped_key", "kek_id"])
    audit.record(row.organization, f"{row.PURPOSE}.rotate", row, actor=None, changes={"vault_key": (old, row.kek_id)})
    return True


@transaction.atomic
def _rotate_some(ids: list[UUID], rotation: Rotation) -> int:
    rows = DataKey.objects.select_for_update().filter(pk__in=ids).exclude(kek_id=rotation.newest).order_by("pk")
    done: list[DataKey] = []
    for row in rows:
        try:
            wrap_again(row)
        except VaultError as error:
            rotation.failed[row.pk] = str(error)
        else:
            done.append(row)
    DataKey.objects.bulk_update(done, ["wrapped_key", "kek_id"])
    return len(done)


@transaction.atomic
def _rotate(key_id: UUID, newest: str) -> bool:
    """Whether the row was rotated: not when it is gone, or another run came first."""
    rows = ProviderKey.objects.select_for_update(of=("self",)).select_related("organization")
    key = rows.filter(pk=key_id).exclude(kek_id=newest).first()
    if key is None:
        return False
    old, sealed = key.kek_id, vault().rewrap(sealed_in(key), place_of(key))
    key.wrapped_key, key.kek_id = sealed.wrapped_key, sealed.kek_id
    key.save(update_fields=["wrapped_key", "kek_id"])
    audit.record(key.organization, "provider_key.rotate", key, actor=None, changes={"vault_key": (old, key.kek_id)})
    return True
