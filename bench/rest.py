"""A Supabase project on the measured database: the PostgREST and gateway of the tests, on our own server."""

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
        url: the value of SUPABASE_URL.
        key: the value of SUPABASE_SERVICE_ROLE_KEY.
        pids: the processes of PostgREST and the gateway.
    """

    url: str
    key: str
    pids: tuple[int, ...]

    def settings(self) -> dict[str, str]:
        """The settings of a service that uses it."""
        return {"SUPABASE_URL": self.url, "SUPABASE_SERVICE_ROLE_KEY": self.key}


class RestLogin:
    """PostgREST's login on a server of ours."""

    def __init__(self, password: str) -> None:
        self._password = password

    @classmethod
    async def create(cls, server: Server) -> "RestLogin":
        """Create the roles of a Supabase project. Migrations that run afterwards grant them their rights.

        Raises:
            ServiceMissingError: PostgREST or the gateway is missing, or the server is not our own.
        """
        if server.data_dir is None:
            raise ServiceMissingError(
                "the roles of a Supabase project are only created on a server of our own"
            )
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
    """The folder for files of the programs; within a run of the tests, theirs."""
    if BASE in os.environ:
        yield
        return
    close = open_clusters()
    try:
        yield
    finally:
        close()
