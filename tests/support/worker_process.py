"""Workers as processes, with the jobs of tests."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

from support.api import ADMIN_KEY
from support.service import ROOT, environment, wait_for
from wallet_service.core.identifiers import new_id

_HEALTH = re.compile(r"health on (\S+) port (\d+)")


class WorkerProcess:
    """A worker with the jobs of tests.

    Args:
        service_dsn: a migrated database, as the service logs in there.
        folder: for its log.
        settings: further settings.
    """

    def __init__(self, service_dsn: str, folder: Path, **settings: str) -> None:
        common = {
            "WALLET_DATABASE_URL": service_dsn,
            "WALLET_WORKER_POLL_MS": "50",
            "WALLET_WORKER_GRACE_MS": "0",
            "WALLET_ADMIN_KEY": ADMIN_KEY,
        }
        variables = environment(folder, **common, **settings)
        variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        self.log = folder / f"worker-{new_id()}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "support.job_process"],
                env=variables,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def printed(self) -> str:
        """Its output so far."""
        return self.log.read_text()

    @property
    def is_ready(self) -> bool:
        """Whether it runs jobs."""
        return _HEALTH.search(self.printed) is not None

    def wait_until_ready(self) -> None:
        """Return when it runs jobs."""
        wait_for(lambda: self.is_ready or self.process.poll() is not None)
        assert self.is_ready, self.printed

    def url(self, path: str) -> str:
        """The address of a path of its own."""
        found = _HEALTH.search(self.printed)
        assert found is not None
        return f"http://{found[1]}:{found[2]}{path}"

    def kill(self) -> None:
        """Kill it, and wait for its end."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def worker_process(service_dsn: str, folder: Path) -> Generator[WorkerProcess, None, None]:
    """A running worker, killed at the end."""
    worker = WorkerProcess(service_dsn, folder)
    try:
        worker.wait_until_ready()
        yield worker
    finally:
        worker.kill()
