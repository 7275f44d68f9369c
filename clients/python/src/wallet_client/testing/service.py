"""RealWallet: the wallet service, started for tests on a PostgreSQL of its own."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import importlib.util
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Self, Unpack

from wallet_client import AsyncWalletClient, Options, WalletClient

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
KEPT_LINES = 1000

_READY = re.compile(r"ready on (https?://\S+)")
_SETTINGS = ("WALLET_", "SUPABASE_")


class ServiceNotInstalled(RuntimeError):
    """RealWallet needs the package ``wallet_service`` in the environment of the tests."""

    def __init__(self) -> None:
        super().__init__(
            "RealWallet starts the wallet service, and the package wallet_service is not installed for "
            f"{sys.executable}. Install it from a clone of its repository (pip install .), or use FakeWallet"
        )


class ServiceNotStarted(RuntimeError):
    """The service ended, or was not ready in time; the message has what it printed."""


class RealWallet:
    """The wallet service as a process of its own, with an empty database: for what FakeWallet does not do.

    It uses the Python that runs the tests, a free port of 127.0.0.1, and the service's embedded PostgreSQL in a
    temporary folder, which is removed at the end. ``with RealWallet() as wallet:``, or ``async with``. Tests that
    share one use a new user_id each.

    Args:
        settings: environment variables of the service, such as ``{"WALLET_RATE_LIMIT_CLIENT_TOKENS": "10"}``.
            Other variables of the service in this process's environment are not passed on.
        start_timeout_s: how many seconds a start may take. It takes 2 to 3 on a machine that has nothing else to do.
    """

    def __init__(
        self, settings: Mapping[str, str] | None = None, *, start_timeout_s: float = START_TIMEOUT_S
    ) -> None:
        self._settings = {
            "WALLET_HOST": "127.0.0.1",
            "WALLET_PORT": "0",
            "WALLET_ADMIN_KEY": secrets.token_urlsafe(32),
            "WALLET_JWT_SECRET": secrets.token_urlsafe(32),
            **(settings or {}),
        }
        self._start_timeout_s = start_timeout_s
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._url: str | None = None
        self._ready_or_ended = threading.Event()

    # Clients

    @property
    def url(self) -> str:
        """Where the service listens.

        Raises:
            RuntimeError: it is not started.
        """
        if self._url is None:
            raise RuntimeError("RealWallet is not started: use it in a with block")
        return self._url

    @property
    def api_key(self) -> str:
        """The administrator's key."""
        return self._settings["WALLET_ADMIN_KEY"]

    @property
    def output(self) -> str:
        """The last lines that the service printed: its log."""
        return "".join(self._lines.copy())

    def client(self, *, user_id: str | None = None, **options: Unpack[Options]) -> WalletClient:
        """A client of the service that may do everything, or with ``user_id`` what this user may."""
        return WalletClient(self.url, api_key=self._credentials(user_id), **options)

    def async_client(self, *, user_id: str | None = None, **options: Unpack[Options]) -> AsyncWalletClient:
        """The same for asyncio."""
        return AsyncWalletClient(self.url, api_key=self._credentials(user_id), **options)

    def token(self, user_id: str, valid_s: int = 3600) -> str:
        """A user's token, valid for so many seconds."""
        claims = {"sub": user_id, "exp": int(time.time()) + valid_s}
        signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
        key = self._settings["WALLET_JWT_SECRET"].encode()
        return f"{signed}.{_base64(hmac.digest(key, signed.encode(), hashlib.sha256))}"

    def _credentials(self, user_id: str | None) -> str:
        return self.api_key if user_id is None else self.token(user_id)

    # Start and stop

    def start(self) -> Self:
        """Start the service, and wait until it is ready.

        Raises:
            ServiceNotInstalled: the package ``wallet_service`` is missing.
            ServiceNotStarted: the service ended, or was not ready in time.
            RuntimeError: it was started before.
        """
        if self._process is not None:
            raise RuntimeError("RealWallet starts once; make a new one")
        if importlib.util.find_spec("wallet_service") is None:
            raise ServiceNotInstalled
        self._folder = tempfile.TemporaryDirectory(prefix="wallet-")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "wallet_service", "serve"],
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)},
                "WALLET_DATA_DIR": self._folder.name,
                **self._settings,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        self._reader = threading.Thread(target=self._read, args=[self._process.stdout], daemon=True)
        self._reader.start()
        in_time = self._ready_or_ended.wait(self._start_timeout_s)
        if self._url is None:
            self.stop()
            happened = "ended" if in_time else f"was not ready within {self._start_timeout_s} s"
            raise ServiceNotStarted(f"The wallet service {happened}. It printed:\n{self.output}")
        return self

    def stop(self) -> None:
        """Stop the service and remove its data. Nothing happens where it does not run.

        Raises:
            RuntimeError: it did not stop in time and was killed, so its PostgreSQL may still run.
        """
        killed = False
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                killed = True
                self._process.kill()
                self._process.wait()
        self._url = None
        if killed:
            raise RuntimeError(f"The wallet service was killed: it did not stop. It printed:\n{self.output}")
        if self._reader is not None:
            self._reader.join(STOP_TIMEOUT_S)
        if self._folder is not None:
            self._folder.cleanup()

    def _read(self, printed: IO[str]) -> None:
        """Read what the service prints, until it ends: a pipe that is full would hold it up."""
        with printed:
            for line in printed:
                self._lines.append(line)
                if self._url is None and (found := _READY.search(line)) is not None:
                    self._url = found[1]
                    self._ready_or_ended.set()
        self._ready_or_ended.set()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        starting = asyncio.create_task(asyncio.to_thread(self.start))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            with contextlib.suppress(RuntimeError):
                await starting  # a thread can't be cancelled
            await asyncio.to_thread(self.stop)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)


def _part(value: Mapping[str, object]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
