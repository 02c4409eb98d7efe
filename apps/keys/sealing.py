"""Data keys under which the proxy seals request bodies: made and opened by the vault, one a customer, process and day.

A body is sealed under a data key, and the data key under a key-encryption key of the ring: rotating the ring
wraps the few data keys again, and not one of the many bodies; and bodies whose data key is gone are gone.
"""

from typing import NamedTuple
from uuid import UUID

from apps.keys.models import DataKey
from apps.keys.vault import Place, Sealed, vault
from apps.kit.ids import uuid7

PURPOSE = "request_bodies"


class FreshKey(NamedTuple):
    """A new data key, in the open and wrapped. For memory alone, but for what is wrapped."""

    id: bytes
    key: bytes
    wrapped_key: bytes
    kek_id: str

    def __repr__(self) -> str:
        return f"<FreshKey {self.id.hex()} under {self.kek_id}>"


def make_data_key(organization_id: bytes) -> FreshKey:
    """A new data key of an organization (a UUID's 16 bytes), under the ring's newest key. Asks no database."""
    key_id = uuid7()
    key, sealed = vault().new_data_key(Place(UUID(bytes=organization_id), key_id, PURPOSE))
    return FreshKey(key_id.bytes, key, sealed.wrapped_key, sealed.kek_id)


def open_data_key(row: DataKey) -> bytes:
    """The data key itself. Raises VaultError."""
    return vault().open_data_key(sealed_key_in(row), place_of_key(row))


def wrap_again(row: DataKey) -> None:
    """Put the row's data key under the ring's newest key, unsaved. Raises VaultError."""
    sealed = vault().rewrap(sealed_key_in(row), place_of_key(row))
    row.wrapped_key, row.kek_id = sealed.wrapped_key, sealed.kek_id


def sealed_key_in(row: DataKey) -> Sealed:
    """What the row stores: a data key without anything of its own that it seals."""
    return Sealed(b"", bytes(row.wrapped_key), row.kek_id)


def place_of_key(row: DataKey) -> Place:
    """Where the data key belongs."""
    return Place(row.organization_id, row.pk, PURPOSE)


def newest_id() -> str:
    """The id of the ring's newest key, under which new data keys are."""
    return vault().newest_id
