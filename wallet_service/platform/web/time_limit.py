"""The longest time that a caller waits for the beginning of a response."""

import asyncio
from collections.abc import Collection

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wallet_service.core.errors import Unavailable
from wallet_service.platform.web.problems import problem_response

_CHECKS = 50
"""How often the requests under way are checked within the limit. So one ends up to a fiftieth of the limit early."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})

_log = structlog.get_logger(__name__)


class TimeLimit:
    """ASGI middleware: a request whose response has not begun in time is cancelled and gets a problem.

    Each wait on the way to the response has a limit of its own, and ends with a better reason. This limit is for their
    sum. What was sent to the database by then is not undone: as after a lost response, the caller finds out by sending
    the request again.

    The time that the caller takes for its body does not count, nor does the body of the response.

    Args:
        app: the next application.
        limit_ms: milliseconds.
        unlimited_paths: requests to these may take as long as they need.
    """

    def __init__(self, app: ASGIApp, limit_ms: int, unlimited_paths: Collection[str] = ()) -> None:
        self.app = app
        self._limit_ms = limit_ms
        self._unlimited_paths = frozenset(unlimited_paths)
        self._unanswered: set[_Request] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, while there is time."""
        if scope["type"] != "http" or scope["path"] in self._unlimited_paths:
            await self.app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        request = _Request(loop, receive, send, self._unanswered)
        if self._timer is None or self._loop is not loop:
            self._loop = loop
            self._timer = loop.call_later(self._limit_ms / 1000 / _CHECKS, self._check, loop)
        try:
            async with asyncio.timeout(None) as request.timeout:
                await self.app(scope, request.receive, request.send)
        except TimeoutError:
            if request.is_answered or not request.timeout.expired():
                raise
            _log.error("request_timed_out", limit_ms=self._limit_ms)
            detail = f"There was no response within {self._limit_ms} ms"
            if scope["method"] not in _READS:
                detail += ". The request may have been done: send it again, with the same idempotency key if it has one"
            request_id = scope.get("state", {}).get("request_id")
            await problem_response(Unavailable(detail), request_id)(scope, receive, send)
        finally:
            self._unanswered.discard(request)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the requests whose time will be over before the next check. A timer for each would cost twice as much."""
        now, pause_s = loop.time(), self._limit_ms / 1000 / _CHECKS
        began_before = now + pause_s - self._limit_ms / 1000
        for request in [
            each for each in self._unanswered if each.began < began_before and not each.is_reading
        ]:
            self._unanswered.discard(request)
            request.timeout.reschedule(now)
        self._timer = loop.call_later(pause_s, self._check, loop) if self._unanswered else None


class _Request:
    """A request without a response.

    Attributes:
        began: when its time began, by the loop's clock.
        is_reading: whether it waits for its caller, who sends the body.
        is_answered: whether its response has begun.
        timeout: cancels it.
    """

    __slots__ = ("_loop", "_receive", "_send", "_unanswered", "began", "is_answered", "is_reading", "timeout")

    timeout: asyncio.Timeout

    def __init__(
        self, loop: asyncio.AbstractEventLoop, receive: Receive, send: Send, unanswered: "set[_Request]"
    ) -> None:
        self._loop = loop
        self._receive = receive
        self._send = send
        self._unanswered = unanswered
        self.began = loop.time()
        self.is_reading = self.is_answered = False
        unanswered.add(self)

    async def receive(self) -> Message:
        self.is_reading = True
        try:
            return await self._receive()
        finally:
            self.is_reading = False
            self.began = self._loop.time()

    async def send(self, message: Message) -> None:
        if not self.is_answered:
            self.is_answered = True
            self._unanswered.discard(self)
            if self.timeout.when() is not None and not self.timeout.expired():
                self.timeout.reschedule(
                    None
                )  # its time ended in this iteration of the loop: in time all the same
        await self._send(message)
