"""A real PgBouncer before a server of the tests. Supabase's poolers behave alike."""

import asyncio
import os
import pwd
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from support.cluster import BASE, SERVICE_LOGIN, SUPERUSER, Cluster, system_user
from support.external_programs import RunningProgram, program

LONGEST_START_S = 20
_PORT = 6432  # of a socket in a folder of its own, so that it is always free

_CONFIGURATION = """
[databases]
* = host={server} port=5432

[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users
admin_users = {superuser}
pool_mode = {mode}
default_pool_size = {pool_size}
max_client_conn = 200
query_wait_timeout = 20
"""


class Pooler:
    """A running PgBouncer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: RunningProgram | None = None

    def dsn(self, database: str, user: str = SERVICE_LOGIN) -> str:
        """A database of the server, by way of the pooler."""
        return f"postgresql://{user}@/{database}?host={self._folder}&port={_PORT}"

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        command: list[object] = [_binary(), self._folder / "pgbouncer.ini"]
        if (user := system_user()) is not None:
            command[1:1] = ["-u", user]  # it refuses to run as root
        self._process = RunningProgram(self._folder.name, *command)
        async with asyncio.timeout(LONGEST_START_S):
            while not await self._answers():
                assert not self._process.has_ended(), self._process.log.read_text()

    async def restart(self) -> None:
        """Stop it with all its sessions, and start it again."""
        self.stop()
        await self.start()

    def stop(self) -> None:
        """Stop it with all its sessions."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(
                self.dsn("pgbouncer", SUPERUSER), statement_cache_size=0, timeout=LONGEST_START_S
            )
        except (OSError, asyncpg.PostgresError):
            return False
        # Its console speaks the simple protocol only. A login is enough to know that it runs.
        connection.terminate()
        return True


@asynccontextmanager
async def pooler(cluster: Cluster, mode: str, pool_size: int = 2) -> AsyncIterator[Pooler]:
    """A PgBouncer with so many sessions for each user of a database, in ``transaction`` or ``session`` mode.

    Raises:
        ServiceMissingError: there is none on this machine.
    """
    _binary()
    folder = Path(os.environ[BASE]) / f"pgbouncer-{secrets.token_hex(4)}"
    folder.mkdir()
    (folder / "users").write_text(f'"{SUPERUSER}" ""\n"{SERVICE_LOGIN}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        _CONFIGURATION.format(
            server=cluster.socket_folder,
            folder=folder,
            port=_PORT,
            superuser=SUPERUSER,
            mode=mode,
            pool_size=pool_size,
        )
    )
    if (user := system_user()) is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    made = Pooler(folder)
    try:
        await made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _binary() -> Path:
    # Where Debian has servers; it is not on the PATH of an ordinary user.
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin")
    return Path(found) if found else program("pgbouncer")
