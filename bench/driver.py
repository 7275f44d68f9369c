"""The other end of the load generator's pipes."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from bench.generator import LIMIT_BYTES
from bench.job import Job, RowFailed, Sample
from bench.service import stop

_ROOT = Path(__file__).parent.parent


class Driver:
    """Sends jobs to the process, one at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, job: Job) -> Sample:
        """Run a job.

        Raises:
            RowFailed: the row can't be measured.
        """
        given, answers = self._process.stdin, self._process.stdout
        if given is None or answers is None:
            raise RowFailed("the load generator has no pipes")
        given.write(json.dumps(job.document()).encode() + b"\n")
        await given.drain()
        line = await answers.readline()
        if not line:
            raise RowFailed("the load generator has ended")
        answer = json.loads(line)
        if "failed" in answer:
            raise RowFailed(answer["failed"])
        return Sample(**answer["sample"])


@contextlib.asynccontextmanager
async def load_generator() -> AsyncGenerator[Driver, None]:
    """Start the process. It ends with the block, or when this process ends and its stdin closes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.generator",
        cwd=_ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LIMIT_BYTES,
        start_new_session=True,  # Ctrl-C must reach this process only
    )
    try:
        yield Driver(process)
    finally:
        await stop(process)
