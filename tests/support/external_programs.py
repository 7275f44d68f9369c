"""Programs that scripts/services fetches, run as processes that end with the tests."""

import http.client
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.cluster import BASE, ServiceMissingError
from support.needed_programs import SUPABASE, check_declared

PROGRAMS = tuple(sorted(SUPABASE))
"""The programs of a Supabase project."""

# The process writes its id before it becomes the program, so that each running one is listed.
_LISTED = 'echo $$ >"$0" && exec "$@"'

_STOP_S = 20


def program(name: str) -> Path:
    """Where the program is.

    Raises:
        ServiceMissingError: scripts/services has not fetched it.
    """
    found = Path(sys.prefix) / "services" / "bin" / name
    if not found.exists():
        raise ServiceMissingError(f"{name} is not there (scripts/services fetches it)")
    check_declared(name)
    return found


def pids() -> Path:
    """The folder with a file for each running process. ``cluster_cleanup`` kills them after the tests."""
    folder = Path(os.environ[BASE]) / "pids"
    folder.mkdir(exist_ok=True)
    return folder


class RunningProgram:
    """A program that runs until it is stopped, or the tests end; it writes to ``<name>.log``."""

    def __init__(self, name: str, *command: Any) -> None:
        self.log = Path(os.environ[BASE]) / f"{name}.log"
        self._listed = pids() / name
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                ["sh", "-c", _LISTED, self._listed, *command],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must reach the tests only
            )

    def has_ended(self) -> bool:
        """Whether it has ended by itself."""
        return self.process.poll() is not None

    def keep_running(self) -> None:
        """Let it run until the tests end, even if this process ends before."""
        self.process.returncode = 0  # without it Popen warns of a process that was not waited for

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._listed.unlink(missing_ok=True)


def free_port() -> int:
    """A TCP port that is free now. Another process can take it in the next moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class ReservedPort:
    """A TCP port of a server that stops and starts again: while it is stopped, no other program gets it.

    A socket is bound to it and never listens, so that connections are refused. Servers that set SO_REUSEADDR, as all here
    do, can listen on it nevertheless.

    Attributes:
        number: the port.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> None:
        """Give it back."""
        self._socket.close()


def status(port: int, path: str) -> int | None:
    """The status of a GET; None while no server listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
