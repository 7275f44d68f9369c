"""A real Redis for one test, which can kill, freeze and restart it."""

import asyncio
import os
import secrets
import shutil
import signal
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from support.cluster import BASE
from support.external_programs import ReservedPort, RunningProgram, program

LONGEST_START_S = 20


class RedisServer:
    """A running redis-server, which keeps nothing on disk."""

    def __init__(self, folder: Path, password: str) -> None:
        self._folder = folder
        self._password = password
        self._port = ReservedPort()
        self._process: RunningProgram | None = None

    @property
    def url(self) -> str:
        """Its address, with the password."""
        return self.url_with(self._password)

    def url_with(self, password: str) -> str:
        """Its address, with this password."""
        return f"redis://:{password}@127.0.0.1:{self._port.number}/0"

    async def start(self) -> None:
        """Start it empty, and wait until it answers."""
        options = {
            "port": self._port.number,
            "bind": "127.0.0.1",
            "requirepass": self._password,
            "save": "",
            "dir": self._folder,
        }
        command = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        self._process = RunningProgram(self._folder.name, program("redis-server"), *command)
        async with asyncio.timeout(LONGEST_START_S):
            while not await self._answers():
                assert not self._process.has_ended(), self._process.log.read_text()

    def kill(self) -> None:
        """Kill it; its data is lost."""
        if self._process is not None:
            self._process.process.kill()
            self._process.stop()
            self._process = None

    def close(self) -> None:
        """Kill it, and give its port back."""
        self.kill()
        self._port.release()

    @contextmanager
    def frozen(self) -> Generator[None, None, None]:
        """Within, it accepts connections and does not respond."""
        assert self._process is not None
        pid = self._process.process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def client(self) -> Redis:
        """A client of it; close it with ``async with``."""
        return Redis.from_url(self.url, decode_responses=True)

    async def _answers(self) -> bool:
        async with self.client() as client:
            try:
                return bool(await client.ping())
            except RedisError:
                return False


@asynccontextmanager
async def redis_server() -> AsyncIterator[RedisServer]:
    """A Redis with a password.

    Raises:
        ServiceMissingError: there is none on this machine.
    """
    program("redis-server")
    folder = Path(os.environ[BASE]) / f"redis-{secrets.token_hex(4)}"
    folder.mkdir()
    made = RedisServer(folder, secrets.token_hex(8))
    try:
        await made.start()
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)
