"""The command as an operator starts it: real processes, a real embedded server, real signals."""

import json
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.command_line import run_command
from support.service import KEY, ROOT, WAIT_S, Service, command, refused, servers_of, serving, wait_for

from wallet_service import __version__
from wallet_service.cli import app


@dataclass(frozen=True)
class Prepared:
    """A data folder after ``migrate``, to copy, and the output of that command."""

    folder: Path
    migrated: "subprocess.CompletedProcess[str]"


@pytest.fixture(scope="module")
def prepared() -> Generator[Prepared, None, None]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        data_dir = Path(folder) / "data"
        yield Prepared(data_dir, command(data_dir, "migrate"))


@pytest.fixture
def data_dir(prepared: Prepared, own_folder: Path) -> Path:
    """A migrated data folder of the test."""
    subprocess.run(["cp", "-a", prepared.folder, own_folder / "data"], check=True)
    return own_folder / "data"


def test_the_first_start_prints_a_key_once_and_ctrl_c_stops_both(own_folder: Path) -> None:
    data_dir = own_folder / "data"
    with serving(data_dir) as service:
        keys = KEY.findall(service.printed)
        assert len(keys) == 1
        assert pasted(service.printed)["balance"] == "100.000000"
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


def pasted(printed: str) -> dict[str, str]:
    """The response to the block that the first start prints, pasted into a shell as it is."""
    block = printed[printed.rindex("\nexport WALLET_URL=") : printed.rindex("\nDocumentation: ")]
    done = subprocess.run(["bash"], input=block, capture_output=True, text=True, check=True, timeout=WAIT_S)
    return json.loads(done.stdout)


def test_a_second_service_on_the_same_data_is_refused_and_the_first_goes_on(data_dir: Path) -> None:
    key = "an-administrators-key-of-some-length"
    with serving(data_dir, WALLET_ADMIN_KEY=key) as service:
        port = service.url.rpartition(":")[2]
        for settings in ({}, {"WALLET_PORT": port}):
            message = refused(command(data_dir, "serve", **settings))
            assert f"{data_dir} is in use by process {service.process.pid}" in message
        assert service.status(key) == 200
        assert service.stop() == 0
        assert not KEY.search(service.printed)  # a key that was given is not printed, and no other is created
        assert key not in service.printed


def test_after_kill_9_the_next_start_recovers(data_dir: Path) -> None:
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


def test_a_second_signal_breaks_nothing(data_dir: Path) -> None:
    with serving(data_dir) as service:
        key = KEY.findall(service.printed)[0]
        assert service.stop(signal.SIGINT, signal.SIGINT, signal.SIGTERM) == 0
        assert not servers_of(data_dir)
    log = (data_dir / "postgres.log").read_text()
    assert "database system is shut down" in log
    with serving(data_dir) as service:
        assert service.status(key) == 200
    assert "was not properly shut down" not in (data_dir / "postgres.log").read_text()


def test_a_signal_during_the_first_start_leaves_nothing_running(own_folder: Path) -> None:
    _interrupted_at(own_folder / "data", "pg.part-*")


def test_a_signal_during_a_later_start_leaves_nothing_running(data_dir: Path) -> None:
    _interrupted_at(data_dir, "pg/postmaster.pid")


def _interrupted_at(data_dir: Path, stage: str) -> None:
    service = Service(data_dir)
    wait_for(lambda: any(data_dir.glob(stage)))
    assert service.stop(signal.SIGTERM, signal.SIGINT) == 0
    assert not servers_of(data_dir)
    with serving(data_dir):
        pass


def test_a_port_in_use_is_named_before_anything_is_started(own_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        message = refused(command(own_folder / "data", "serve", WALLET_PORT=port))
    assert f"127.0.0.1 port {port}: Address already in use" in message
    assert not (own_folder / "data" / "pg").exists()


def test_keys_and_verify_with_a_running_service_and_without_it(data_dir: Path) -> None:
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
        _restricted_keys(data_dir)
        assert command(data_dir, "keys", "revoke", line.split()[0]).returncode == 0
        wait_for(lambda: service.status(key) == 401)
        assert query(data_dir) == "0\n"
        unknown = refused(command(data_dir, "keys", "revoke", f"wsk_{'0' * 32}_a-secret"))
        assert "no key" in unknown
        assert "a-secret" not in unknown
    assert "revoked" in listed(data_dir, "billing")
    assert command(data_dir, "verify").returncode == 0
    assert query(data_dir) == "0\n"
    failed = command(data_dir, "psql", "-v", "ON_ERROR_STOP=1", "-Atc", "select 1/0", PGHOSTADDR="192.0.2.1")
    assert (failed.returncode, failed.stderr) == (1, "ERROR:  division by zero\n")
    assert not servers_of(data_dir)


def query(data_dir: Path) -> str:
    """The number of wallets, from psql."""
    done = command(data_dir, "psql", "-At", "-c", "select count(*) from wallet.wallets")
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("a name", "--scope", "admin"), "'client': must be 1 to 64 letters"),
        (
            ("billing", "--scope", "wallets:reed"),
            "'--scope': there is no scope wallets:reed; the closest one is wallets:read",
        ),
        (
            ("billing", "--scope", "admin", "--expires-at", "2020-01-01"),
            "'--expires-at': must be in the future",
        ),
    ],
)
def test_keys_create_names_the_wrong_argument(
    service_dsn: str, own_folder: Path, arguments: tuple[str, ...], named: str
) -> None:
    done = command(own_folder, "keys", "create", *arguments, WALLET_DATABASE_URL=service_dsn)
    assert (done.returncode, done.stdout) == (2, "")
    message = " ".join(line.strip("│ ") for line in done.stderr.splitlines())
    assert f"Invalid value for {named}" in message


def test_psql_is_for_the_bundled_database(own_folder: Path) -> None:
    url = "postgresql://ann:hidden@127.0.0.1:1/ledger"
    message = refused(command(own_folder, "psql", WALLET_DATABASE_URL=url))
    assert "database ledger on 127.0.0.1:1" in message
    assert "hidden" not in message


def _restricted_keys(data_dir: Path) -> None:
    create = ("keys", "create", "meter", "--scope", "usage:write")
    options = ("--user", "ada", "--counter-account", "fx:*", "--max-amount", "2.5")
    assert KEY.fullmatch(command(data_dir, *create, *options).stdout.strip())
    assert listed(data_dir, "meter").endswith(f"usage:write  {' '.join(options)}")
    done = command(data_dir, *create, "--counter-account", "Nothing")
    assert done.returncode == 2
    assert "--counter-account" in done.stderr


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--max-amount", "-1"), "--max-amount"),
        (("--max-amount", "x"), "--max-amount"),
        (("--wallet", "x"), "--wallet"),
        (("--scope", "admin", "--user", "ada"), "--scope"),
    ],
)
def test_a_restriction_that_is_none_names_its_option(options: tuple[str, ...], named: str) -> None:
    done = run_command(app, ["keys", "create", "meter", "--scope", "usage:write", *options])
    assert done.exit_code == 2
    assert named in done.output


def listed(data_dir: Path, client: str) -> str:
    """The line of a client's key."""
    done = command(data_dir, "keys", "list")
    assert done.returncode == 0, done
    return next(line for line in done.stdout.splitlines() if client in line)


def test_migrate_creates_the_database_and_then_changes_nothing(prepared: Prepared, data_dir: Path) -> None:
    assert prepared.migrated.returncode == 0, prepared.migrated
    assert "applied 0001_ledger_tables.sql" in prepared.migrated.stdout
    second = command(data_dir, "migrate")
    assert second.stdout == f"The database is at release {__version__}\n"


def test_expected_failures_are_one_line(own_folder: Path) -> None:
    message = refused(command(own_folder, "serve", WALLET_PORT="eighty", WALLET_LOG_LEVEL="loud"))
    assert "WALLET_PORT" in message
    assert "WALLET_LOG_LEVEL" in message
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        url = f"postgresql://wallet:hidden@{address}/wallet"
    unreachable = f"can't connect to the database wallet on {address}: "
    misspelt = command(own_folder, "serve", WALLET_DATABASE_URL=url, WALLET_VERIFY_USER="hidden")
    assert unreachable in refused(misspelt)
    assert '"setting_unknown"' in misspelt.stdout
    migrating = command(own_folder, "migrate", "--database-url", url)
    assert unreachable in refused(migrating)
    unmigrated = command(own_folder, "serve", WALLET_DATABASE_URL=url, WALLET_MIGRATE_ON_START="false")
    assert f"database wallet on {address}" in refused(unmigrated)
    verifying = command(own_folder, "verify", WALLET_DATABASE_URL=url)
    refused(verifying)
    for done in (misspelt, migrating, unmigrated, verifying):
        assert "hidden" not in done.stdout + done.stderr
    assert "no data in" in refused(command(own_folder / "nothing", "keys", "list"))
    assert not (own_folder / "nothing").exists()


def test_usage(own_folder: Path) -> None:
    assert command(own_folder, "version").stdout == f"{__version__}\n"
    assert run_command(app, ["--version"]).stdout == f"{__version__}\n"
    assert run_command(app, ["no-such-command"]).exit_code == 2
    shown = run_command(app, ["--help"])
    assert shown.exit_code == 0
    for name in ("serve", "migrate", "keys", "verify", "version", "wallets", "import", "psql"):
        assert name in shown.stdout
    assert run_command(app, ["keys", "create"]).exit_code == 2


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
