"""A Supabase project on the database that is measured: the tests' PostgREST and gateway, on our own server."""

import contextlib
import os
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass

from support.cluster import BASE, ServiceMissingError, open_clusters
from support.external_programs import pids, program
from support.supabase import as_authenticator, make_roles, open_project

from bench.job import RowFailed
from bench.server import Server


@dataclass(frozen=True, slots=True)
class Project:
    """A running project.

    Attributes:
        url: what SUPABASE_URL is set to.
        key: what SUPABASE_SERVICE_ROLE_KEY is set to.
        pids: the processes between a caller and PostgreSQL, PostgREST and the gateway.
    """

    url: str
    key: str
    pids: tuple[int, ...]

    def settings(self) -> dict[str, str]:
        """What makes a service use it."""
        return {"SUPABASE_URL": self.url, "SUPABASE_SERVICE_ROLE_KEY": self.key}


class RestLogin:
    """PostgREST's login on a server of ours."""

    def __init__(self, password: str) -> None:
        self._password = password

    @classmethod
    async def create(cls, server: Server) -> "RestLogin":
        """Make the roles of a Supabase project; databases that are migrated afterwards give them what they need.

        Raises:
            ServiceMissingError: PostgREST or the gateway is not there, or the server is somebody else's.
        """
        if server.data_dir is None:
            raise ServiceMissingError("the roles of a Supabase project are only made on a server of our own")
        for name in ("postgrest", "nginx"):
            program(name)
        return cls(await make_roles(server.admin_dsn("postgres")))

    def dsn(self, admin_dsn: str) -> str:
        """The URL of this database for PostgREST."""
        return as_authenticator(admin_dsn, self._password)

    @contextlib.asynccontextmanager
    async def project(self, admin_dsn: str) -> AsyncGenerator[Project, None]:
        """A project on a migrated database.

        Raises:
            RowFailed: it does not start.
        """
        with programs_folder():
            async with contextlib.AsyncExitStack() as stack:
                try:
                    opened = await stack.enter_async_context(open_project(self.dsn(admin_dsn), "bench"))
                except (RuntimeError, AssertionError) as error:
                    raise RowFailed(f"the Supabase project does not start: {error}") from error
                gateway = int((pids() / "nginx").read_text())
                yield Project(opened.url, opened.service_role_key, (opened.rest_pid, gateway))


@contextlib.contextmanager
def programs_folder() -> Generator[None, None, None]:
    """Where the programs have their files; within a run of the tests, theirs."""
    if BASE in os.environ:
        yield
        return
    close = open_clusters()
    try:
        yield
    finally:
        close()
