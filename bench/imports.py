"""The CPU time of an import in a fresh process."""

import asyncio
import os
import sys
from pathlib import Path

from bench.job import RowFailed

_CLIENT = Path(__file__).parent.parent / "clients" / "python" / "src"
_TIMED = "import time; began = time.process_time(); import {name}; print(time.process_time() - began)"


async def import_ratio(name: str, baseline: str, rounds: int) -> float | None:
    """CPU time of importing one package / of importing another: the lowest of each, after a round that is not counted.

    Raises:
        RowFailed: one can't be imported.
    """
    await _import_s(name)
    seconds = [(await _import_s(name), await _import_s(baseline)) for _ in range(rounds)]
    below = min((each for _, each in seconds), default=0.0)
    return min(each for each, _ in seconds) / below if below else None


async def _import_s(name: str) -> float:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _TIMED.format(name=name),
        env={**os.environ, "PYTHONPATH": str(_CLIENT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise RowFailed(f"{name} can't be imported: {errors.decode()[-400:]}")
    return float(output)
