"""The command as a person starts it: real processes, a real embedded server, real signals."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent.parent
KEY = re.compile(r"wsk_[0-9a-f]{32}_[A-Za-z0-9_-]{43}")
COMMAND = [sys.executable, "-m", "wallet_service"]
WAIT_S = 60


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
                line = (entry / "cmdline").read_text().replace("\0", " ")
                if f"/postgres -D {data_dir / 'pg'} " in line:
                    found.append(int(entry.name))
    return found


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {WAIT_S} s"
        time.sleep(0.005)


class Service:
    """A running ``wallet-service serve``."""

    def __init__(self, data_dir: Path, command: Sequence[str] = COMMAND, **settings: str) -> None:
        self.process = subprocess.Popen(
            [*command, "serve"],
            env=environment(data_dir, **settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.printed = ""

    def wait_until_ready(self) -> "Service":
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line
            if line.startswith("Ctrl-C"):
                return self
        raise AssertionError(f"did not start: {self.printed} {self.process.communicate()[1]}")

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
        rest, errors = self.process.communicate(timeout=WAIT_S)
        self.printed += rest
        assert "Traceback" not in self.printed + errors
        return self.process.returncode


@contextlib.contextmanager
def serving(
    data_dir: Path, command: Sequence[str] = COMMAND, **settings: str
) -> Generator[Service, None, None]:
    service = Service(data_dir, command, **settings)
    try:
        yield service.wait_until_ready()
    finally:
        if service.process.poll() is None:
            service.stop()
        service.process.communicate()


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """What it said: one message and no traceback."""
    assert result.returncode == 1, result
    assert result.stderr.startswith("wallet-service: ")
    assert "Traceback" not in result.stderr + result.stdout
    return result.stderr
