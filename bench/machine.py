# asyncpg does not type the values of rows.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""The machine of a run: figures, and no names."""

import asyncio
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg

from bench.percentiles import median

_SETTINGS = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "wal_sync_method",
    "wal_compression",
    "max_wal_size",
    "shared_buffers",
    "max_connections",
    "commit_delay",
    "data_checksums",
    "jit",
)
_OF_THE_SERVICE = (
    "WALLET_COMMIT_",
    "WALLET_DATABASE_POOL_SIZE",
    "WALLET_DATABASE_TIMEOUT_MS",
    "WALLET_LOG_LEVEL",
)
_BLOCK = b"w" * 8192
_FSYNCS = 200
_FSYNC_S = 2.0


async def describe(dsn: str, data_dir: Path | None) -> dict[str, Any]:
    """Cores, versions, PostgreSQL's settings, and the time of an 8 kB fdatasync on the disk of its data."""
    connection = await asyncpg.connect(dsn)
    try:
        settings = {
            name: await connection.fetchval("select current_setting($1, true)", name) for name in _SETTINGS
        }
    finally:
        await connection.close()
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),  # near the start: other load on the machine
        "postgres": settings,
        "service": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith(_OF_THE_SERVICE)
        },
        "fdatasync_us": None if data_dir is None else await asyncio.to_thread(fdatasync_us, data_dir),
    }


def fdatasync_us(folder: Path) -> float | None:
    """Median microseconds of an fdatasync after overwriting a block, on the disk of this folder."""
    times: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(_BLOCK)
        file.flush()
        os.fsync(file.fileno())
        deadline = time.perf_counter() + _FSYNC_S
        while len(times) < _FSYNCS and time.perf_counter() < deadline:
            began = time.perf_counter()
            os.pwrite(file.fileno(), _BLOCK, 0)
            os.fsync(file.fileno()) if not hasattr(os, "fdatasync") else os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1e6)
    found = median(times)
    return None if found is None else round(found, 1)
