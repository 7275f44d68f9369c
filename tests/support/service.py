"""The command as an operator starts it: real processes, a real embedded server, real signals."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent.parent
KEY = re.compile(r"wsk_[0-9a-f]{32}_[A-Za-z0-9_-]{43}")
COMMAND = [sys.executable, "-m", "wallet_service"]
WAIT_S = 60
_READY = re.compile(r"^Ctrl-C.*\n", re.MULTILINE)


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("WALLET_")}
    return {**bare, "PYTHONPATH": str(ROOT), "WALLET_DATA_DIR": str(data_dir), "WALLET_PORT": "0", **settings}


def command(data_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(data_dir, **settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )


def servers_of(data_dir: Path) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_text().split("\0")
                if words[0].endswith("/postgres") and f"wallet.data_dir={data_dir}" in words:
                    found.append(int(entry.name))
    return found


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {WAIT_S} s"
        time.sleep(0.005)


class _Output:
    """The output of a process, in a file: a pipe that is full and not read would block the process."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with this object
        weakref.finalize(self, self.file.close)

    @property
    def text(self) -> str:
        """All so far."""
        number = self.file.fileno()
        # Without a seek: the file position belongs to the process too.
        return os.pread(number, os.fstat(number).st_size, 0).decode(errors="replace")


class Service:
    """A running ``wallet-service serve``."""

    def __init__(self, data_dir: Path, command: Sequence[str] = COMMAND, **settings: str) -> None:
        self._printed, self._errors = _Output(), _Output()
        self.process = subprocess.Popen(
            [*command, "serve"],
            env=environment(data_dir, **settings),
            stdout=self._printed.file,
            stderr=self._errors.file,
        )

    def wait_until_ready(self) -> "Service":
        wait_for(lambda: self.is_ready or self.process.poll() is not None)
        assert self.is_ready, f"did not start: {self.printed} {self.errors}"
        return self

    @property
    def is_ready(self) -> bool:
        return _READY.search(self.printed) is not None

    @property
    def printed(self) -> str:
        """Its output on stdout so far."""
        return self._printed.text

    @property
    def errors(self) -> str:
        """Its output on stderr so far."""
        return self._errors.text

    @property
    def key(self) -> str:
        """The admin key that the first start printed."""
        found = KEY.search(self.printed)
        assert found is not None
        return found[0]

    @property
    def url(self) -> str:
        found = re.search(r"ready on (http://127\.0\.0\.1:\d+)", self.printed)
        assert found is not None
        return found[1]

    def status(self, key: str, path: str = "/api/v1/ledger/trial-balance") -> int:
        return httpx.get(f"{self.url}{path}", headers={"Authorization": f"Bearer {key}"}).status_code

    def stop(self, *signals: signal.Signals) -> int:
        for sign in signals or (signal.SIGINT,):
            self.process.send_signal(sign)
        status = self.process.wait(WAIT_S)
        assert "Traceback" not in self.printed + self.errors
        return status


@contextlib.contextmanager
def serving(
    data_dir: Path, command: Sequence[str] = COMMAND, **settings: str
) -> Generator[Service, None, None]:
    # A worker would store 220,000 rates, beside what the test looks at.
    service = Service(data_dir, command, **{"WALLET_FX_HISTORY": "false"} | settings)
    try:
        yield service.wait_until_ready()
    finally:
        if service.process.poll() is None:
            service.stop()


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The message of a refused command: one message and no traceback."""
    assert result.returncode == 1, result
    assert result.stderr.startswith("wallet-service: ")
    assert "Traceback" not in result.stderr + result.stdout
    return result.stderr
