"""Static files, named by their content and compressed once: only when one of them changed."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

UNUSED = ["redoc"]  # the API's page is the other one that comes along; this would take longer than all the rest


def collect_static_files() -> bool:
    """Bring STATIC_ROOT up to date; False where it was. It takes seconds, and looking does not."""
    stamp = Path(settings.STATIC_ROOT) / ".sources"
    found = _fingerprint()
    if stamp.is_file() and stamp.read_text() == found:
        return False
    call_command("collectstatic", interactive=False, clear=True, verbosity=0, ignore_patterns=UNUSED)
    stamp.write_text(found)
    return True


def _fingerprint() -> str:
    """A hash over every source's name, size and time of change."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            stat = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
