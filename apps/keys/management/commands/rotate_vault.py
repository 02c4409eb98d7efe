"""manage.py rotate_vault: after a new key was put first in TOLLGATE_VAULT_KEYS."""

from typing import Any

from django.core.management.base import CommandError

from apps.keys.errors import BadKeyRing
from apps.keys.services.rotation import rotate_vault
from apps.kit.commands import Command as BaseCommand


class Command(BaseCommand):
    help = (
        "Wraps every data key of the vault under the newest key of TOLLGATE_VAULT_KEYS. Safe to run twice, "
        "at once, and while serving. Exits 1 if a secret does not open; the others are rotated all the same."
    )

    def run(self, **options: Any) -> dict[str, object]:
        try:
            rotation = rotate_vault()
        except BadKeyRing as error:
            raise CommandError(str(error)) from error
        for key_id, reason in rotation.failed.items():
            self.stderr.write(f"{key_id}: {reason}")
        if rotation.failed:
            raise CommandError(f"{len(rotation.failed)} keys were not rotated, {rotation.rotated} were.")
        done = {"rotated": rotation.rotated, "data_keys": rotation.data_keys, "sealed": rotation.sealed}
        return {**done, "newest": rotation.newest, "unused": rotation.unused}
