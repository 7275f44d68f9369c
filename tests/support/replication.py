"""A primary and its synchronous standby, made from the PostgreSQL of the tests."""

import asyncio
import os
import pwd
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from support.cluster import (
    BASE,
    SUPERUSER,
    TEMPLATE,
    Cluster,
    _make_template,
    _reachable,
    _run,
    binaries,
    system_user,
)

LONGEST_S = 60
_SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "max_connections=60",
    "shared_buffers=64MB",
    "wal_level=replica",
    "log_min_messages=fatal",
)


@dataclass(frozen=True)
class Server:
    """One of the two servers.

    Attributes:
        home: the folder of its data and its socket.
        programs: of PostgreSQL.
        user: the system user that runs it; None: the tests' own.
    """

    home: Path
    programs: Path
    user: str | None

    @property
    def cluster(self) -> Cluster:
        return Cluster(18, self.home)

    def dsn(self, user: str = SUPERUSER) -> str:
        return self.cluster.dsn(TEMPLATE, user)

    async def start(self) -> None:
        options = " ".join(f"-c {each}" for each in (*_SETTINGS, f"unix_socket_directories={self.home}"))
        await self.run("pg_ctl", "-w", "-t", LONGEST_S, "-l", self.home / "log", "-o", options, "start")

    async def stop(self) -> None:
        """As a crash does, without a checkpoint: quick, and what it had committed is recovered at the start."""
        if (self.home / "data" / "postmaster.pid").exists():
            await self.run("pg_ctl", "-w", "-t", LONGEST_S, "-m", "immediate", "stop")

    async def promote(self) -> None:
        """Make the standby a primary."""
        await self.run("pg_ctl", "-w", "-t", LONGEST_S, "promote")

    async def run(self, program: str, *arguments: Any) -> None:
        command = [self.programs / program, "-D", self.home / "data", *map(str, arguments)]
        await asyncio.to_thread(_run, command, self.user, self.home)


@dataclass(frozen=True)
class Pair:
    """A primary that waits for its standby at each commit."""

    primary: Server
    standby: Server

    async def fetch(self, query: str) -> Any:
        """One value, read on the primary as superuser."""
        connection = await asyncpg.connect(self.primary.dsn())
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def waiting(self) -> int:
        """How many sessions have committed, and wait for the standby."""
        return await self.fetch("select count(*) from pg_stat_activity where wait_event = 'SyncRep'")

    async def end_waits(self) -> None:
        """End the sessions that wait for the standby: what they committed is visible, and only on the primary."""
        await self.fetch(
            "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where wait_event = 'SyncRep'"
        )

    @asynccontextmanager
    async def disconnected(self) -> AsyncIterator[None]:
        """Until the end of the block the standby receives nothing; it goes on to answer reads."""
        connection = await asyncpg.connect(self.standby.dsn())
        receiver: int = await connection.fetchval("select pid from pg_stat_wal_receiver")
        await connection.close()
        os.kill(receiver, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(receiver, signal.SIGCONT)

    async def wait_until_synchronous(self) -> None:
        """Return when the standby is the synchronous one, and has everything."""
        query = (
            "select count(*) from pg_stat_replication"
            " where sync_state = 'sync' and flush_lsn = pg_current_wal_flush_lsn()"
        )
        async with asyncio.timeout(LONGEST_S):
            while await self.fetch(query) != 1:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.05)


@asynccontextmanager
async def replicated() -> AsyncIterator[Pair]:
    """A running pair with the template database of the tests."""
    name = secrets.token_hex(4)
    primary, standby = [
        await asyncio.to_thread(_server, f"{name}-{place}") for place in ("primary", "standby")
    ]
    await primary.run("initdb", "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
    await primary.start()
    try:
        await _make_template(primary.cluster)
        copied = ("-h", primary.home, "-U", SUPERUSER, "--checkpoint=fast", "--no-sync", "-R")
        await standby.run("pg_basebackup", *copied)
        await standby.start()
        try:
            pair = Pair(primary, standby)
            await pair.fetch("alter system set synchronous_standby_names = '*'")
            await pair.fetch("select pg_reload_conf()")
            await pair.wait_until_synchronous()
            yield pair
        finally:
            await standby.stop()
    finally:
        await primary.stop()


def _server(name: str) -> Server:
    home, user = Path(os.environ[BASE]) / name, system_user()
    home.mkdir()
    programs = binaries(18)
    if user is not None:
        os.chown(home, pwd.getpwnam(user).pw_uid, -1)
        programs = _reachable(programs, user, home)
    return Server(home, programs, user)
