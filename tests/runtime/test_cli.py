"""The command as a person starts it: real processes, a real embedded server, real signals."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.service import KEY, ROOT, Service, command, refused, servers_of, serving, wait_for
from typer.testing import CliRunner

from wallet_service import __version__
from wallet_service.cli import app


def test_the_first_start_prints_a_key_once_and_ctrl_c_stops_both(own_folder: Path) -> None:
    data_dir = own_folder / "data"
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


def test_a_second_service_on_the_same_data_is_refused_and_the_first_goes_on(own_folder: Path) -> None:
    key = "an-administrators-key-of-some-length"
    with serving(own_folder / "data", WALLET_ADMIN_KEY=key) as service:
        port = service.url.rpartition(":")[2]
        for settings in ({}, {"WALLET_PORT": port}):
            said = refused(command(own_folder / "data", "serve", **settings))
            assert f"{own_folder / 'data'} is in use by process {service.process.pid}" in said
        assert service.status(key) == 200
        assert service.stop() == 0
        assert not KEY.search(service.printed)  # a key that was given is not told, and no other is made
        assert key not in service.printed


def test_after_kill_9_the_next_start_recovers(own_folder: Path) -> None:
    data_dir = own_folder / "data"
    with serving(data_dir) as service:
        key = KEY.findall(service.printed)[0]
        service.process.kill()
        service.process.wait()
        left = servers_of(data_dir)
        assert left
    with serving(data_dir) as service:
        assert service.status(key) == 200
        assert not KEY.search(service.printed)
        assert not set(left) & set(servers_of(data_dir))
    assert not servers_of(data_dir)


def test_a_second_signal_breaks_nothing(own_folder: Path) -> None:
    data_dir = own_folder / "data"
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
def test_a_signal_during_the_start_leaves_nothing_running(stage: str, own_folder: Path) -> None:
    data_dir = own_folder / "data"
    service = Service(data_dir)
    wait_for(lambda: any(data_dir.glob(stage)))
    assert service.stop(signal.SIGTERM, signal.SIGINT) == 0
    assert not servers_of(data_dir)
    with serving(data_dir):
        pass


def test_a_port_in_use_is_named_before_anything_is_started(own_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        said = refused(command(own_folder / "data", "serve", WALLET_PORT=port))
    assert f"127.0.0.1 port {port}: Address already in use" in said
    assert not (own_folder / "data" / "pg").exists()


def test_keys_and_verify_beside_a_running_service_and_without_it(own_folder: Path) -> None:
    data_dir = own_folder / "data"
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
        line = listed(data_dir, "billing")
        assert "valid until 2999-12-31" in line
        assert key.rpartition("_")[2] not in line
        assert command(data_dir, "keys", "revoke", line.split()[0]).returncode == 0
        wait_for(lambda: service.status(key) == 401)
        unknown = refused(command(data_dir, "keys", "revoke", f"wsk_{'0' * 32}_a-secret"))
        assert "no key" in unknown
        assert "a-secret" not in unknown
    assert "revoked" in listed(data_dir, "billing")
    assert command(data_dir, "verify").returncode == 0
    assert not servers_of(data_dir)


def listed(data_dir: Path, client: str) -> str:
    """The line of a client's key."""
    done = command(data_dir, "keys", "list")
    assert done.returncode == 0, done
    return next(line for line in done.stdout.splitlines() if client in line)


def test_migrate_makes_the_database_and_then_changes_nothing(own_folder: Path) -> None:
    first = command(own_folder / "data", "migrate")
    assert first.returncode == 0, first
    assert "applied 0001_ledger_tables.sql" in first.stdout
    second = command(own_folder / "data", "migrate")
    assert second.stdout == f"The database is at release {__version__}\n"


def test_expected_failures_are_one_line(own_folder: Path) -> None:
    said = refused(command(own_folder, "serve", WALLET_PORT="eighty", WALLET_LOG_LEVEL="loud"))
    assert "WALLET_PORT" in said
    assert "WALLET_LOG_LEVEL" in said
    with socket.create_server(("127.0.0.1", 0)) as closed:
        place = f"127.0.0.1:{closed.getsockname()[1]}"
        url = f"postgresql://somebody:hidden@{place}/wallet"
    for arguments in (("serve",), ("verify",), ("keys", "list"), ("migrate",)):
        said = refused(command(own_folder, *arguments, WALLET_DATABASE_URL=url))
        assert "hidden" not in said
        if arguments in {("serve",), ("migrate",)}:
            assert f"can't connect to the database wallet on {place}: " in said
    said = refused(command(own_folder, "serve", WALLET_DATABASE_URL=url, WALLET_MIGRATE_ON_START="false"))
    assert f"database wallet on {place}" in said
    misspelt = command(own_folder, "serve", WALLET_DATABASE_URL=url, WALLET_VERIFY_USER="hidden")
    assert '"setting_unknown"' in misspelt.stdout
    assert "hidden" not in misspelt.stdout
    assert "no data in" in refused(command(own_folder / "nothing", "keys", "list"))
    assert not (own_folder / "nothing").exists()
    said = refused(command(own_folder, "migrate", "--database-url", url))
    assert "hidden" not in said


def test_usage(own_folder: Path) -> None:
    assert command(own_folder, "version").stdout == f"{__version__}\n"
    assert command(own_folder, "no-such-command").returncode == 2
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0
    for name in ("serve", "migrate", "keys", "verify", "version"):
        assert name in shown.stdout
    assert CliRunner().invoke(app, ["keys", "create"]).exit_code == 2


def test_a_command_imports_what_it_needs_and_no_more() -> None:
    """A second of CPU for a command beside the service, and half of one for a plain service."""
    needless = ["fastapi", "uvicorn", "aiohttp", "httpx", "jwt", "limits", "redis", "supabase", "consul"]
    script = f"""
import sys
import wallet_service.cli
print(*(name for name in {needless} if name in sys.modules))
import wallet_service.runtime.serve
print(*(name for name in {needless} if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "\nfastapi uvicorn\n"
