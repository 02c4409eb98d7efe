"""The vault: the one file that encrypts and decrypts the operators' secrets.

Each secret is sealed with AES-256-GCM under a data key of its own, and the data key under a key-encryption
key (KEK) of the ring in TOLLGATE_VAULT_KEYS: "id:base64 of 32 bytes", newest first, separated by commas.
Both seals are bound to the place the secret belongs to (organization, row, purpose), so that what was sealed
for one place opens at no other. Rotating KEKs wraps the data keys again and leaves the secrets alone.
"""

import binascii
import logging
import os
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import DatabaseError, transaction

from apps.accounts import audit
from apps.keys.errors import BadKeyRing, CannotOpen, UnknownVaultKey
from apps.keys.models import ProviderKey

logger = logging.getLogger(__name__)

KEY_BYTES = 32
NONCE_BYTES = 12
KEK_ID_LENGTH = 40  # as long as the column


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret belongs. Sealed for one place, it opens at no other."""

    organization_id: UUID
    row_id: UUID
    purpose: str  # such as "provider_key"

    def bind(self, part: bytes) -> bytes:
        """The associated data of one of the two seals; ids have a fixed length, so no two places agree."""
        return b"tollgate.vault.1\0" + part + self.organization_id.bytes + self.row_id.bytes + self.purpose.encode()


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is stored of a secret: two ciphertexts, each after its nonce, and the name of the KEK."""

    ciphertext: bytes
    wrapped_key: bytes
    kek_id: str


class Vault:
    """A ring of KEKs. The first one seals, all of them open."""

    def __init__(self, keks: Mapping[str, bytes]) -> None:
        if not keks:
            raise BadKeyRing("TOLLGATE_VAULT_KEYS is empty: give it at least one key, as id:base64.")
        self._keks = dict(keks)
        self.newest_id = next(iter(self._keks))

    def __repr__(self) -> str:
        return f"Vault({', '.join(self._keks)})"

    @classmethod
    def parse(cls, ring: str) -> Self:
        """The vault of a ring as written in the environment. Raises BadKeyRing, which never tells a key."""
        keks: dict[str, bytes] = {}
        for number, entry in enumerate(filter(None, map(str.strip, ring.split(","))), start=1):
            kek_id, colon, encoded = entry.partition(":")
            if not colon or not 0 < len(kek_id) <= KEK_ID_LENGTH or kek_id in keks:
                raise BadKeyRing(f"TOLLGATE_VAULT_KEYS: key {number} needs an id of its own, as id:base64.")
            keks[kek_id] = _decode_kek(kek_id, encoded)
        return cls(keks)

    @property
    def kek_ids(self) -> frozenset[str]:
        return frozenset(self._keks)

    def seal(self, secret: str, place: Place) -> Sealed:
        """Encrypt `secret` for `place`, under a new data key, wrapped by the newest KEK."""
        data_key = AESGCM.generate_key(KEY_BYTES * 8)
        ciphertext = _encrypt(data_key, secret.encode(), place.bind(b"secret"))
        return Sealed(ciphertext, self._wrap(data_key, place), self.newest_id)

    def open(self, sealed: Sealed, place: Place) -> str:
        """The secret. Raises UnknownVaultKey or CannotOpen; there is nothing to fall back on."""
        return _decrypt(self._unwrap(sealed, place), sealed.ciphertext, place.bind(b"secret")).decode()

    def rewrap(self, sealed: Sealed, place: Place) -> Sealed:
        """The same secret with its data key under the newest KEK. Opens the data key, not the secret."""
        return Sealed(sealed.ciphertext, self._wrap(self._unwrap(sealed, place), place), self.newest_id)

    def new_data_key(self, place: Place) -> tuple[bytes, Sealed]:
        """A data key for many secrets of one place, and how it is stored: wrapped, with no ciphertext of its own."""
        data_key = AESGCM.generate_key(KEY_BYTES * 8)
        return data_key, Sealed(b"", self._wrap(data_key, place), self.newest_id)

    def open_data_key(self, sealed: Sealed, place: Place) -> bytes:
        """The data key that `new_data_key` made. Raises UnknownVaultKey or CannotOpen."""
        return self._unwrap(sealed, place)

    def _wrap(self, data_key: bytes, place: Place) -> bytes:
        return _encrypt(self._wrapping_key(self.newest_id, place), data_key, place.bind(b"key"))

    def _unwrap(self, sealed: Sealed, place: Place) -> bytes:
        if sealed.kek_id not in self._keks:
            raise UnknownVaultKey(f"Sealed under the vault key “{sealed.kek_id}”: add it to TOLLGATE_VAULT_KEYS again.")
        return _decrypt(self._wrapping_key(sealed.kek_id, place), sealed.wrapped_key, place.bind(b"key"))

    def _wrapping_key(self, kek_id: str, place: Place) -> bytes:
        """A KEK never encrypts by itself: each purpose has a key derived from it."""
        info = b"tollgate.vault.1\0" + place.purpose.encode()
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(self._keks[kek_id])


def vault() -> Vault:
    """The installation's vault."""
    return _parsed(settings.VAULT_KEYS)


@lru_cache(maxsize=2)
def _parsed(ring: str) -> Vault:
    return Vault.parse(ring)


def sealed_in(key: ProviderKey) -> Sealed:
    """What the row stores of its secret."""
    return Sealed(bytes(key.ciphertext), bytes(key.wrapped_key), key.kek_id)


def place_of(key: ProviderKey) -> Place:
    """Where the row's secret belongs."""
    return Place(key.organization_id, key.pk, "provider_key")


def open_provider_key(key: ProviderKey, *, opened_by: str) -> str:
    """The provider key itself, for whoever sends calls with it: `opened_by`, such as "proxy".

    Call it when a grant is loaded, not for each request. The first opening of a key on a day (UTC) goes
    to the audit log; a database that cannot note it is logged, and serving goes on. Raises VaultError.
    """
    secret = vault().open(sealed_in(key), place_of(key))
    today = datetime.now(UTC).date()
    if key.last_opened_on != today:
        try:
            _note_opening(key, today, opened_by)
        except DatabaseError:
            logger.exception("opening of provider key %s not noted", key.pk)
    return secret


@transaction.atomic
def _note_opening(key: ProviderKey, today: date, opened_by: str) -> None:
    """Of all processes that open the key today, the one whose update changes the row writes the event."""
    first = ProviderKey.objects.filter(pk=key.pk).exclude(last_opened_on=today).update(last_opened_on=today)
    if first:
        audit.record(key.organization, "provider_key.open", key, actor=None, actor_label=opened_by)
    key.last_opened_on = today


def _decode_kek(kek_id: str, encoded: str) -> bytes:
    try:
        kek = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        kek = b""
    if len(kek) != KEY_BYTES:
        raise BadKeyRing(f"TOLLGATE_VAULT_KEYS: the key “{kek_id}” is not the base64 of {KEY_BYTES} bytes.") from None
    return kek


def _encrypt(key: bytes, plaintext: bytes, bound_to: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound_to)


def _decrypt(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError) as error:  # ValueError: cut shorter than a nonce and a tag
        raise CannotOpen("A sealed secret does not open: it was moved, changed, or its vault key was.") from error
