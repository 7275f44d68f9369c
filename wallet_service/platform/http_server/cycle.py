"""One request and its response, between the connection and the application."""

import asyncio
from collections.abc import Callable

import structlog
from uvicorn._types import ASGI3Application, ASGIReceiveEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from wallet_service.core.errors import WalletError

_log = structlog.get_logger(__name__)


class Outgoing:
    """What a response is written to. To close it is left to the connection, which may have to read on.

    Args:
        transport: of the connection.
        close: closes the connection after the response.
        is_closing: whether it is being closed.
    """

    __slots__ = ("close", "is_closing", "write")

    def __init__(
        self, transport: asyncio.Transport, close: Callable[[], None], is_closing: Callable[[], bool]
    ) -> None:
        self.write = transport.write
        self.close = close
        self.is_closing = is_closing


class Cycle(RequestResponseCycle):
    """uvicorn's, and the rest of the body can fail: the application's next ``receive`` raises the problem."""

    _failure: WalletError | None = None
    _may_keep_alive = False

    def expect_body(self) -> None:
        """The client waits for "100 Continue". Once it has another response, it may send its body or not.

        So what it sends next can't be parsed, and the connection is closed.
        """
        self._may_keep_alive, self.keep_alive = self.keep_alive, False

    def fail(self, problem: WalletError) -> None:
        """Let the application respond with this problem as soon as it needs more of the body."""
        self._failure = problem
        self.keep_alive = self._may_keep_alive = False
        self.message_event.set()

    def close_after(self) -> None:
        """Close the connection after this response."""
        self.keep_alive = self._may_keep_alive = False

    async def receive(self) -> ASGIReceiveEvent:
        """Part of ASGI: the next bytes of the body.

        Raises:
            WalletError: the rest of the body can't be received.
        """
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
            self.keep_alive = self._may_keep_alive
        if not (self.disconnected or self.response_complete):
            self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        if self._failure is not None:
            raise self._failure
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def run_asgi(self, app: ASGI3Application) -> None:
        """Run the application. It has logged its own errors and responded to them, unless the response had begun."""
        try:
            await app(self.scope, self.receive, self.send)
        except (
            asyncio.CancelledError
        ):  # the grace period of a stop is over, and the application has responded
            self.transport.close()
        except Exception:  # noqa: BLE001 - logged; the connection must end
            _log.exception("response_cut_off")
            await self._end()
        else:
            if not (self.response_complete or self.disconnected):
                _log.error("response_incomplete")
                await self._end()
        finally:
            self.on_response = _nothing  # the method of the connection would keep both alive

    async def _end(self) -> None:
        if self.response_started:
            self.transport.close()
        else:
            await self.send_500_response()


def _nothing() -> None:
    pass
