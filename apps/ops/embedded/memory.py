"""How much memory PostgreSQL may take: as it comes, it is set up for a machine of twenty years ago."""

import os
from contextlib import suppress
from pathlib import Path

MB = 2**20
CONTAINERS_LIMIT = Path("/sys/fs/cgroup/memory.max")  # "max" where there is none


def memory_here() -> int:
    """Bytes of memory that this machine, or the container that we are in, has."""
    has = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):
        has = min(has, int(CONTAINERS_LIMIT.read_text()))
    return has


def memory_settings(memory: int) -> dict[str, str]:
    """PostgreSQL's settings on a machine with so many bytes, which it shares with everything else of ours.

    Memory is taken as it is used: a small installation takes little on a large machine, too.
    """
    return {
        "shared_buffers": _within(memory // 4, 128, 8192),
        "effective_cache_size": _within(memory // 2, 512, 65536),
        "work_mem": _within(memory // 512, 4, 16),
        "maintenance_work_mem": _within(memory // 32, 64, 512),
        "random_page_cost": "1.1",  # of disks without a head that moves
        "wal_buffers": "64MB",  # with few, whoever rolls up writes the log itself much of the time
        "max_wal_size": "4GB",  # pages are written whole after each checkpoint: few of them
        "checkpoint_timeout": "15min",
    }


def _within(amount: int, least: int, most: int) -> str:
    """As PostgreSQL reads it, in MB."""
    return f"{min(max(amount // MB, least), most)}MB"
