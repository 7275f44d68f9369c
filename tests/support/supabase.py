"""Supabase projects: PostgREST on a database of the tests, behind a gateway that checks keys."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from support.cluster import BASE, SUPABASE_ROLES
from support.external_programs import RunningProgram, free_port, program, status
from support.service import wait_for
from support.supabase_gateway import Gateway, gateway

WRONG_KEY = "sb_secret_0123456789-of-another-project"
"""The gateway does not know it."""

_TRIES = 5
# The settings of database, schemas and rows are those of a new project with wallet_api exposed.
_CONFIGURATION = """
db-uri = "{database_url}"
db-schemas = "public,wallet_api"
db-extra-search-path = "public"
db-anon-role = "anon"
db-max-rows = 1000
jwt-secret = "{jwt_secret}"
server-unix-socket = "{socket}"
server-host = "127.0.0.1"
admin-server-port = {port}
"""


class Project:
    """A project: an address, its keys, and a PostgREST that a test can stop.

    Attributes:
        url: the value of SUPABASE_URL.
        service_role_key: the legacy key of the role service_role, a JWT.
        secret_key: a key of the newer kind (``sb_secret_…``) for the same role.
        anon_key: the legacy key for browsers.
        publishable_key: the newer kind of it (``sb_publishable_…``).
        jwt_secret: signs the legacy keys, and tokens of users.
    """

    def __init__(self, database_url: str, name: str, before: Gateway) -> None:
        self._name = f"{name}_{secrets.token_hex(4)}"
        self._database_url = database_url
        self._rest: RunningProgram | None = None
        self.url = f"http://127.0.0.1:{before.port}/{self._name}"
        self.service_role_key = before.keys.service_role
        self.secret_key = before.keys.secret
        self.anon_key = before.keys.anon
        self.publishable_key = before.keys.publishable
        self.jwt_secret = before.keys.jwt_secret

    @property
    def rest_pid(self) -> int:
        """The process of the running PostgREST."""
        assert self._rest is not None, "it is stopped"
        return self._rest.process.pid

    async def start_rest(self) -> None:
        """Start PostgREST, and wait until it has read the schema."""
        assert self._rest is None, "it is running"
        self._rest = await asyncio.to_thread(self._start)

    async def stop_rest(self) -> None:
        """Stop PostgREST: the gateway answers 502 afterwards."""
        if self._rest is not None:
            await asyncio.to_thread(self._rest.stop)
            self._rest = None

    async def restart_rest(self) -> None:
        """Stop PostgREST, start it, and wait until it has read the schema."""
        await self.stop_rest()
        await self.start_rest()

    def _start(self) -> RunningProgram:
        postgrest, base = program("postgrest"), Path(os.environ[BASE])
        configuration = base / f"{self._name}.conf"
        for _ in range(_TRIES):
            port = free_port()
            configuration.write_text(
                _CONFIGURATION.format(
                    database_url=self._database_url,
                    jwt_secret=self.jwt_secret,
                    socket=base / f"{self._name}.sock",
                    port=port,
                )
            )
            running = RunningProgram(self._name, postgrest, configuration)
            wait_for(lambda: running.has_ended() or status(port, "/ready") == 200)  # noqa: B023 - called at once
            if not running.has_ended():
                return running
            running.stop()  # another process took the port in between
        raise RuntimeError(f"PostgREST does not start\n{running.log.read_text()}")


async def make_roles(admin_dsn: str) -> str:
    """Make Supabase's roles on a server that asks for passwords; returns that of PostgREST's login."""
    password = secrets.token_hex(16)
    connection = await asyncpg.connect(admin_dsn)
    try:
        await connection.execute(SUPABASE_ROLES.read_text())
        await connection.execute(f"alter role authenticator password '{password}'")
    finally:
        await connection.close()
    return password


def as_authenticator(dsn: str, password: str) -> str:
    """The same database, for PostgREST's login."""
    url = urlsplit(dsn)
    return urlunsplit(url._replace(netloc=f"authenticator:{password}@{url.netloc.rpartition('@')[2]}"))


@asynccontextmanager
async def open_project(database_url: str, name: str) -> AsyncIterator[Project]:
    """A running project on a database with Supabase's roles.

    Args:
        database_url: of the database, as PostgREST's login ``authenticator``.
        name: what the project's files and its address begin with: small letters, digits and underscores.

    Raises:
        ServiceMissingError: there is no PostgREST, or no nginx.
    """
    project = Project(database_url, name, await asyncio.to_thread(gateway))
    await project.start_rest()
    try:
        yield project
    finally:
        await project.stop_rest()
