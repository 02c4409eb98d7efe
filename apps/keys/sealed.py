"""Secrets that other rooms keep: sealed by the vault in columns of their own rows, and moved with its keys."""

from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from django.db import models

if TYPE_CHECKING:
    from apps.keys.vault import Place, Sealed


class SealedFields(models.Model):
    """What is stored of a row's secret. The row has an `organization` and a UUID for its primary key."""

    ciphertext = models.BinaryField(default=bytes, editable=False)  # empty: there is no secret
    wrapped_key = models.BinaryField(default=bytes, editable=False)
    kek_id = models.CharField(max_length=40, default="", editable=False)  # "": there is no secret

    organization_id: UUID

    PURPOSE: ClassVar[str]  # such as "alert_channel": what is sealed for one purpose opens for no other

    class Meta:
        abstract = True

    def seal(self, secret: str) -> None:
        """Put `secret` into the columns; saving is the caller's."""
        from apps.keys.vault import vault

        self._keep(vault().seal(secret, self._place()))

    def open(self) -> str:
        """The secret itself. Raises VaultError."""
        from apps.keys.vault import vault

        return vault().open(self._sealed(), self._place())

    def rewrap(self) -> None:
        """Put the data key under the ring's newest key; the secret isn't opened. Saving is the caller's."""
        from apps.keys.vault import vault

        self._keep(vault().rewrap(self._sealed(), self._place()))

    def _keep(self, sealed: "Sealed") -> None:
        self.ciphertext, self.wrapped_key, self.kek_id = sealed.ciphertext, sealed.wrapped_key, sealed.kek_id

    def _sealed(self) -> "Sealed":
        from apps.keys.vault import Sealed

        return Sealed(bytes(self.ciphertext), bytes(self.wrapped_key), self.kek_id)

    def _place(self) -> "Place":
        from apps.keys.vault import Place

        return Place(self.organization_id, self.pk, self.PURPOSE)
