"""Accepts connections.

Not the loop's own server: when the process has no file handle left, uvloop's resets each new connection, and neither the
log nor a metric shows it. And a connection above the limit would be refused only after its protocol was created.
"""

import asyncio
import resource
import socket
from collections.abc import Callable

import structlog

from wallet_service.platform.http_server import limits
from wallet_service.platform.http_server.connections import Admission, Connections
from wallet_service.platform.http_server.metrics import ConnectionMetrics
from wallet_service.platform.http_server.protocol import Connection

_BACKLOG = 2048
"""Connections that the system keeps until they are accepted."""

_AT_ONCE = 64
"""Connections accepted before requests have a turn."""

_PAUSE_S = 0.1
"""After an error of accept."""

_CALM_S = 1.0
"""After so long without an error, accept works again."""

_OTHER_HANDLES = 128
"""File handles for everything but connections: the database, other services, log, libraries."""

_log = structlog.get_logger(__name__)


def allowed_connections(wanted: int) -> int:
    """How many connections there may be, so that file handles never run out because of them.

    The process's soft limit of open files is raised if it has to be and can be.
    """
    needed = wanted + limits.HEALTH_CONNECTIONS + _OTHER_HANDLES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    allowed = min(wanted, max(raised - limits.HEALTH_CONNECTIONS - _OTHER_HANDLES, raised // 2))
    if allowed < wanted:
        _log.warning("connections_limited_by_open_files", limit=allowed, wanted=wanted, open_files=raised)
    return allowed


class Listener:
    """Accepts connections from a socket.

    Args:
        listener: a bound socket; its owner closes it.
        connections: decides whether there is room.
        create: makes the protocol of an admitted connection.
        metrics: count what fails.
    """

    def __init__(
        self,
        listener: socket.socket,
        connections: Connections,
        create: Callable[[Admission], Connection],
        metrics: ConnectionMetrics,
    ) -> None:
        self._socket = listener
        self._connections = connections
        self._create = create
        self._metrics = metrics
        self._arriving: set[asyncio.Task[None]] = set()
        self._failed_at: float | None = None
        self._retry: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Listen and accept.

        Raises:
            OSError: another process listens on this address.
        """
        self._socket.listen(_BACKLOG)
        self._socket.settimeout(0)
        self._resume()

    async def stop(self) -> None:
        """Accept nothing more, and wait for connections that were just accepted."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        asyncio.get_running_loop().remove_reader(self._socket)
        if self._arriving:
            await asyncio.wait(self._arriving)

    def _resume(self) -> None:
        self._retry = None
        asyncio.get_running_loop().add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(error)
                return
            self._note_success()
            admission = self._connections.admit()
            if admission is Admission.NOTHING:
                accepted.close()
                continue
            task = asyncio.create_task(self._open(accepted, admission))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    async def _open(self, accepted: socket.socket, admission: Admission) -> None:
        accepted.settimeout(0)
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: self._create(admission), accepted)
        except OSError as error:  # the client has reset it meanwhile
            accepted.close()
            self._connections.lost()
            _log.debug("connection_lost_at_once", error=str(error))

    def _note_success(self) -> None:
        """Report the end of a failure, but not each connection that finds a handle meanwhile."""
        failed_at = self._failed_at
        if failed_at is not None and asyncio.get_running_loop().time() - failed_at >= _CALM_S:
            self._failed_at = None
            _log.info("accept_works_again")

    def _pause(self, error: OSError) -> None:
        """Accept again a moment later. Meanwhile an idle connection gives its file handle back."""
        self._metrics.accept_failures.inc()
        loop = asyncio.get_running_loop()
        is_first, self._failed_at = self._failed_at is None, loop.time()
        if is_first:
            open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            _log.error("accept_failed", error=str(error.strerror or error), open_files=open_files)
        self._connections.evict()
        loop.remove_reader(self._socket)
        self._retry = loop.call_later(_PAUSE_S, self._resume)
