"""An installation: the folder that TOLLGATE_DATA names, and what `manage.py up` keeps in it.

`env` has the values that `up` makes up itself, for the other commands to find (config/settings.py reads
it); what the environment gives is never written down. Knows no Django: the settings need these values.
"""

import base64
import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class AlreadyRuns(Exception):
    """Another `up` has this installation."""


def data_folder() -> Path:
    """Where the installation of this environment is."""
    return Path(os.environ.get("TOLLGATE_DATA") or ROOT / ".tollgate").resolve()


@dataclass(frozen=True)
class Installation:
    """A data folder, while it is ours alone."""

    data: Path

    def secrets(self) -> dict[str, str]:
        """The keys that the environment doesn't give: made once, and the same ever after."""
        kept = read_values(self.data / "env")
        made = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "TOLLGATE_VAULT_KEYS": f"first:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        }
        return {name: kept.get(name, value) for name, value in made.items() if not os.environ.get(name)}

    def keep(self, values: Mapping[str, str]) -> None:
        """Write `env`, readable by its owner only, whole or not at all."""
        write_private(self.data / "env", "".join(f"{name}={value}\n" for name, value in values.items()))


@contextlib.contextmanager
def open_installation(data: Path, note: str) -> Iterator[Installation]:
    """Take the folder for ourselves; `note` is what others are told. Raises AlreadyRuns with their note."""
    data.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    with (data / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyRuns(f"Tollgate already runs in {data} ({lock.read().strip()}).") from None
        lock.truncate(0)
        lock.write(note)
        lock.flush()
        yield Installation(data)


def read_values(path: Path) -> dict[str, str]:
    """The `NAME=value` lines of a file; none where there is no file."""
    if not path.is_file():
        return {}
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads; a crash leaves the old or the new, never a part."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
