"""The service, a worker and PostgreSQL as processes of their own, killed while they work, and started again."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from support.api import ADMIN_KEY
from support.service import Service
from support.soak import SOAKS
from support.worker_process import WorkerProcess
from wallet_service.platform.database.migrate import migrate
from wallet_service.platform.embedded_postgres.server import EmbeddedPostgres
from wallet_service.platform.vault.keys import generate_key
from wallet_service.rooms import ROOMS

PAUSE_S = 0.1
"""Between two attempts of what is unavailable."""

LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a statement raises whose server is killed, or starts."""


WORKERS = 2
"""They share the jobs and deliveries."""


class Processes:
    """A service, workers and a server of PostgreSQL on one database.

    Args:
        server: runs; it starts again by itself when it was killed.
        folder: for the files of the others.
    """

    def __init__(self, server: EmbeddedPostgres, folder: Path) -> None:
        self.server = server
        self._folder = folder
        self._settings = {
            "WALLET_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8",
            "WALLET_WEBHOOKS_TIMEOUT_MS": "5000",
            "WALLET_CREDENTIAL_KEYS": generate_key("k1"),
        }
        self._service: Service | None = None
        self._workers: list[WorkerProcess | None] = [None] * WORKERS
        self._aimed_at = 0
        self.url = ""

    async def start(self) -> None:
        """Start the service and the workers."""
        await asyncio.gather(self._start_service(), *map(self._start_worker, range(WORKERS)))

    def end(self) -> None:
        """Kill them; the server is the caller's."""
        for each in (self._service, *self._workers):
            if each is not None and each.process.poll() is None:
                each.process.kill()
                each.process.wait()

    def aim_at(self, worker: str) -> None:
        """Choose the worker that is killed next, by its name in the table of jobs: host and process."""
        pids = [each and each.process.pid for each in self._workers]
        self._aimed_at = pids.index(int(worker.rpartition(":")[2]))

    async def kill(self, name: str) -> None:
        """Kill ``service``, ``worker`` or ``postgres``, and start it again. Returns when it is ready.

        In a soak one worker is killed, and the other one takes what it had when its leases have ended. The suite does
        not wait for that: both workers are killed, so that their leases can be ended by hand.
        """
        await {"service": self._kill_service, "worker": self._kill_workers, "postgres": self._kill_postgres}[
            name
        ]()

    async def ask(self, work: Callable[[asyncpg.Connection], Any]) -> Any:
        """Run statements as superuser, again and again until the server has answered all of them."""
        while True:
            try:
                connection = await asyncpg.connect(self.server.admin_dsn)
                try:
                    return await work(connection)
                finally:
                    connection.terminate()
            except LOST:
                await asyncio.sleep(PAUSE_S)

    async def _kill_service(self) -> None:
        assert self._service is not None
        self._service.process.kill()
        self._service.process.wait()
        await self._start_service()

    async def _kill_workers(self) -> None:
        killed = [self._aimed_at] if SOAKS else [*range(WORKERS)]
        workers = [self._workers[number] for number in killed]
        for worker in workers:
            assert worker is not None
            worker.process.kill()  # all of them before the first one is waited for
        for worker in workers:
            assert worker is not None
            worker.process.wait()
        if not SOAKS:
            # The leases of the killed workers end, which takes up to 25 s. There is no other worker.
            await self.ask(
                lambda connection: connection.execute(
                    "update delivery.webhook_deliveries set lease_until = clock_timestamp() where lease_id is not null"
                )
            )
        await asyncio.gather(*map(self._start_worker, killed))

    async def _kill_postgres(self) -> None:
        pid = (self.server.data_dir / "pg" / "postmaster.pid").read_text().split("\n", 1)[0]
        os.kill(int(pid), signal.SIGKILL)
        await self.ask(lambda connection: connection.fetchval("select 1"))

    async def _start_service(self) -> None:
        """As a supervisor does: one that ends because the database is unavailable is started again."""
        while True:
            self._service = Service(
                self._folder,
                WALLET_DATABASE_URL=self.server.service_dsn,
                WALLET_MIGRATE_ON_START="false",
                WALLET_WORKER="false",
                WALLET_ADMIN_KEY=ADMIN_KEY,
                **self._settings,
            )
            if await _started(self._service):
                self.url = self._service.url
                return

    async def _start_worker(self, number: int) -> None:
        while True:
            worker = WorkerProcess(self.server.service_dsn, self._folder, **self._settings)
            self._workers[number] = worker
            if await _started(worker):
                return


async def _started(made: Service | WorkerProcess) -> bool:
    """Whether it is ready, or has ended before."""
    while made.process.poll() is None:
        if made.is_ready:
            return True
        await asyncio.sleep(PAUSE_S)
    return False


@asynccontextmanager
async def running_processes(data_dir: Path) -> AsyncIterator[Processes]:
    """All three, on a migrated database."""
    async with EmbeddedPostgres(data_dir) as server:
        await migrate(server.admin_dsn, ROOMS)
        processes = Processes(server, data_dir.parent)
        try:
            await processes.start()
            yield processes
        finally:
            processes.end()
