"""All connections: how many there may be, which one is closed for a new one, and the sweep over their deadlines."""

import asyncio
from collections import deque
from enum import Enum, auto
from typing import cast

import structlog
from uvicorn.server import ServerState

from wallet_service.platform.http_server import limits
from wallet_service.platform.http_server.metrics import ConnectionMetrics
from wallet_service.platform.http_server.protocol import Connection

_SWEEP_S = 0.25
"""How late a deadline may be. A sweep takes a microsecond for each connection."""

_YOUNG_S = 1.0
"""A connection of this age or less is not closed for another: its request may be on its way."""

_CALM = 0.9
"""The part of the limit below which the log reports that it is over."""

_log = structlog.get_logger(__name__)


class Admission(Enum):
    """What a new connection may be used for."""

    ANYTHING = auto()
    HEALTH = auto()
    NOTHING = auto()


class Connections:
    """The open connections.

    Args:
        state: the server's, which has them.
        limit: how many there may be, without those for health checks.
        metrics: count them.
    """

    def __init__(self, state: ServerState, limit: int, metrics: ConnectionMetrics) -> None:
        self._state = state
        self._limit = limit
        self._metrics = metrics
        self._count = 0
        self._evictable: deque[Connection] = deque()
        self._listed_at = 0.0
        self._is_at_limit = False
        self._timer: asyncio.TimerHandle | None = None
        metrics.count_open(lambda: self._count, limit)

    @property
    def _open(self) -> "set[Connection]":
        return cast("set[Connection]", self._state.connections)

    def start(self) -> None:
        """Begin to check deadlines."""
        self._timer = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)

    def stop(self) -> None:
        """Check no more deadlines."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def admit(self) -> Admission:
        """Count one more connection, if there is room for it. Its end is reported by ``lost``.

        Returns:
            What it may be used for; above the limit a health check only, while there is room for one.
        """
        admission = self._admission()
        if admission is Admission.NOTHING:
            self._metrics.refused.inc()
        else:
            self._count += 1
        return admission

    def lost(self) -> None:
        """Count one connection less."""
        self._count -= 1

    def _admission(self) -> Admission:
        if self._count < self._limit:
            return Admission.ANYTHING
        if not self._is_at_limit:
            self._is_at_limit = True
            _log.warning("connections_at_limit", limit=self._limit)
        if self.evict():
            return Admission.ANYTHING
        has_room = self._count < self._limit + limits.HEALTH_CONNECTIONS
        return Admission.HEALTH if has_room else Admission.NOTHING

    def evict(self) -> bool:
        """Close a connection that is idle: first those that never had a request, the oldest first.

        Returns:
            Whether there was one.
        """
        now = asyncio.get_running_loop().time()
        if (
            not self._evictable and now - self._listed_at >= _SWEEP_S
        ):  # a list for each new connection would take long
            self._listed_at = now
            found = [each for each in self._open if each.is_evictable and now - each.since > _YOUNG_S]
            found.sort(key=lambda each: (each.was_used, each.since))
            self._evictable.extend(found)
        while self._evictable:
            connection = self._evictable.popleft()
            if connection in self._open and connection.is_evictable and now - connection.since > _YOUNG_S:
                connection.evict()
                return True
        return False

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = loop.call_later(_SWEEP_S, self._sweep)
        for connection in list(self._open):
            connection.check(now)
        if self._is_at_limit and self._count < self._limit * _CALM:
            self._is_at_limit = False
            _log.info("connections_below_limit", limit=self._limit)
        self._evictable.clear()
