"""The command as a person starts it: real processes, a real embedded server, real signals."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

import httpx
import pytest

from wallet_service import __version__

ROOT = Path(__file__).parent.parent
KEY = re.compile(r"wsk_[0-9a-f]{32}_[A-Za-z0-9_-]{43}")
COMMAND = [sys.executable, "-m", "wallet_service"]
WAIT_S = 60


@pytest.fixture
def tmp_path() -> Generator[Path, None, None]:
    """A folder of its own: another run of pytest closes those above pytest's own, also to the server."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


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

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "serve"],
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
def serving(data_dir: Path, **settings: str) -> Generator[Service, None, None]:
    service = Service(data_dir, **settings)
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


def test_the_first_start_prints_a_key_once_and_ctrl_c_stops_both(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with serving(data_dir) as service:
        keys = KEY.findall(service.printed)
        assert len(keys) == 1
        assert f"The data are in {data_dir}" in service.printed
        assert service.status(keys[0]) == 200
        assert service.status(keys[0][:-1] + ("a" if keys[0][-1] != "a" else "b")) == 401
        assert len(servers_of(data_dir)) == 1
        assert service.stop(signal.SIGINT) == 0
        assert not servers_of(data_dir)
    with serving(data_dir) as service:
        assert not KEY.search(service.printed)
        assert service.status(keys[0]) == 200
        assert service.stop(signal.SIGTERM) == 0
        assert not servers_of(data_dir)
        assert not KEY.search(service.printed)


def test_a_second_service_on_the_same_data_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as service:
        key = KEY.findall(service.printed)[0]
        port = service.url.rpartition(":")[2]
        for settings in ({}, {"WALLET_PORT": port}):
            said = refused(command(tmp_path / "data", "serve", **settings))
            assert f"{tmp_path / 'data'} is in use by process {service.process.pid}" in said
        assert service.status(key) == 200


def test_after_kill_9_the_next_start_recovers(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with serving(data_dir) as service:
        key = KEY.findall(service.printed)[0]
        service.process.kill()
        service.process.communicate()
        left = servers_of(data_dir)
        assert left
    with serving(data_dir) as service:
        assert service.status(key) == 200
        assert not KEY.search(service.printed)
        assert not set(left) & set(servers_of(data_dir))
    assert not servers_of(data_dir)


def test_a_second_signal_breaks_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with serving(data_dir) as service:
        key = KEY.findall(service.printed)[0]
        assert service.stop(signal.SIGINT, signal.SIGINT, signal.SIGTERM) == 0
        assert not servers_of(data_dir)
    log = (data_dir / "postgres.log").read_text()
    assert "database system is shut down" in log
    with serving(data_dir) as service:
        assert service.status(key) == 200
    assert "was not properly shut down" not in (data_dir / "postgres.log").read_text()


@pytest.mark.parametrize("stage", ["pg.part-*", "pg/postmaster.pid"])
def test_a_signal_during_the_start_leaves_nothing_running(stage: str, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    service = Service(data_dir)
    wait_for(lambda: any(data_dir.glob(stage)))
    assert service.stop(signal.SIGTERM, signal.SIGINT) == 0
    assert not servers_of(data_dir)
    with serving(data_dir):
        pass


def test_a_given_admin_key_works_and_is_not_printed(tmp_path: Path) -> None:
    key = "an-administrators-key-of-some-length"
    with serving(tmp_path / "data", WALLET_ADMIN_KEY=key) as service:
        assert service.status(key) == 200
        assert service.stop() == 0
        assert not KEY.search(service.printed)
        assert key not in service.printed


def test_a_port_in_use_is_named_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        said = refused(command(tmp_path / "data", "serve", WALLET_PORT=port))
    assert f"127.0.0.1 port {port}: Address already in use" in said
    assert not (tmp_path / "data" / "pg").exists()


def test_keys_and_verify_beside_a_running_service_and_without_it(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with serving(data_dir) as service:
        made = command(
            data_dir, "keys", "create", "billing", "--scope", "admin", "--expires-at", "2999-12-31"
        )
        key = made.stdout.strip()
        assert KEY.fullmatch(key)
        assert service.status(key) == 200
        beside = command(data_dir, "verify")
        assert beside.returncode == 0, beside
        assert beside.stdout
    listed = command(data_dir, "keys", "list")
    assert listed.returncode == 0, listed
    assert not servers_of(data_dir)
    line = next(line for line in listed.stdout.splitlines() if "billing" in line)
    assert "valid until 2999-12-31" in line
    assert key.rpartition("_")[2] not in listed.stdout
    key_id = line.split()[0]
    assert command(data_dir, "keys", "revoke", key_id).returncode == 0
    assert "revoked" in next(
        line for line in command(data_dir, "keys", "list").stdout.splitlines() if "billing" in line
    )
    assert "no key" in refused(command(data_dir, "keys", "revoke", "0" * 32))
    assert command(data_dir, "verify").returncode == 0
    with serving(data_dir) as service:
        assert service.status(key) == 401


def test_migrate_makes_the_database_and_then_changes_nothing(tmp_path: Path) -> None:
    first = command(tmp_path / "data", "migrate")
    assert first.returncode == 0, first
    assert "applied schema/0001" in first.stdout
    second = command(tmp_path / "data", "migrate")
    assert second.stdout == f"The database is at release {__version__}\n"


def test_expected_failures_are_one_line(tmp_path: Path) -> None:
    said = refused(command(tmp_path, "serve", WALLET_PORT="eighty", WALLET_LOG_LEVEL="loud"))
    assert "WALLET_PORT" in said
    assert "WALLET_LOG_LEVEL" in said
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"postgresql://somebody:hidden@127.0.0.1:{closed.getsockname()[1]}/wallet"
    for arguments in (("serve",), ("verify",), ("keys", "list"), ("migrate",)):
        said = refused(command(tmp_path, *arguments, WALLET_DATABASE_URL=url))
        assert "hidden" not in said
    assert "no data in" in refused(command(tmp_path / "nothing", "keys", "list"))
    assert not (tmp_path / "nothing").exists()
    said = refused(command(tmp_path, "migrate", "--database-url", url))
    assert "hidden" not in said


def test_usage(tmp_path: Path) -> None:
    assert command(tmp_path, "version").stdout == f"{__version__}\n"
    shown = command(tmp_path, "--help")
    assert shown.returncode == 0
    for name in ("serve", "migrate", "keys", "verify", "version"):
        assert name in shown.stdout
    assert command(tmp_path, "keys", "create").returncode == 2
    assert command(tmp_path, "no-such-command").returncode == 2
