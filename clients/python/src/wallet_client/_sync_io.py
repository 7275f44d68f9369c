"""The input and output of a WalletClient; ``_async_io`` is its counterpart for asyncio.

The two are written by hand, because they really differ: threads and a deadline per attempt here, cancellation and event
loops there. Change them together. Imported when the first client is created.
"""

import threading
import time
from collections.abc import Generator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from wallet_client._attempts import Attempts, BodyBuffer
from wallet_client._context import Context, is_shareable, transport_not_usable
from wallet_client._deadline import within
from wallet_client._forks import renew_after_fork
from wallet_client._sse import QUIET_S, LineReader

if TYPE_CHECKING:
    from concurrent.futures import Future


class Sender:
    """Sends each attempt in the caller's thread, and ends it at its deadline.

    Each process has connections of its own: a child process that read from a connection of its parent would take the
    response to another request for its own.
    """

    def __init__(self, context: Context, transport: httpx.BaseTransport | None) -> None:
        self._context = context
        self._transport = transport
        self._tls = (
            httpx.create_ssl_context() if transport is None else None
        )  # of this process and its children
        self._of_parents: list[Any] = []
        self._is_used = self._is_foreign = False
        self.is_closed = False
        self._open()
        self._connect()
        renew_after_fork(self, Sender._renew)

    def send(self, attempts: Attempts[Any]) -> tuple[httpx.Response, bytes]:
        """Send the next attempt and read the response, within its time.

        Raises:
            NoEndpoint: no base URL of the service is known.
            RequestError: it failed. PoolTimeout: no connection was free in time.
            UnexpectedAnswer: the response is too large.
            TransportNotUsable: the transport belongs to the parent process. Nothing was sent.
        """
        if self._is_foreign:
            raise transport_not_usable("process")
        self._is_used = True
        http = self._http or self._connect()
        if not self._places.acquire(timeout=attempts.connection_wait_s):
            raise httpx.PoolTimeout("all connections are in use")
        try:
            request = attempts.request()
            with within(attempts.attempt_s):
                return self._exchange(http, request, attempts.body_buffer())
        finally:
            self._places.release()

    def open_stream(self, request: httpx.Request) -> "tuple[OpenStream, bytes]":
        """Send a request whose response has no end, over a connection of its own.

        Returns:
            The stream; and of a response that is none, the body, and the stream is closed.

        Raises:
            RequestError: it failed.
        """
        request.extensions["timeout"]["read"] = QUIET_S
        http = httpx.Client(transport=self._transport, verify=self._tls or True)
        opened = OpenStream(http, http.send(request, stream=True), owns=self._transport is None)
        if opened.response.status_code == HTTPStatus.OK:
            return opened, b""
        try:
            return opened, opened.response.read()
        finally:
            opened.close()

    def sleep(self, wait_s: float) -> None:
        """Wait before the next attempt."""
        time.sleep(wait_s)

    def wait_for(self, future: "Future[None]", longest_s: float) -> None:
        """Wait until another thread has completed the future, ``longest_s`` at most."""
        from concurrent.futures import wait  # noqa: PLC0415 - needed only with Consul

        wait([future], longest_s)

    def close(self) -> None:
        """Close the connections of this process."""
        self.is_closed = True
        with self._lock:
            if self._http is not None:
                self._http.close()

    def _open(self) -> None:
        self._http: httpx.Client | None = None
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(self._context.connections)

    def _connect(self) -> httpx.Client:
        with self._lock:
            if self._http is not None:
                return self._http
            if self.is_closed:
                raise RuntimeError("the client was closed")  # after this call began
            http = httpx.Client(
                transport=self._transport, verify=self._tls or True, limits=self._context.limits
            )
            if self._transport is None:
                from wallet_client._transport import hold_to_deadline  # noqa: PLC0415 - loads httpcore

                hold_to_deadline(http)
            self._http = http
            return http

    def _renew(self) -> None:
        """In a child process: what is the parent's is neither used nor released, since that may wait for its threads."""
        self._is_foreign = self._is_foreign or (self._is_used and not is_shareable(self._transport))
        self._of_parents.append(self._http)
        self._open()

    def _exchange(
        self, http: httpx.Client, request: httpx.Request, body: BodyBuffer
    ) -> tuple[httpx.Response, bytes]:
        response = http.send(request, stream=True)
        try:
            for part in response.iter_bytes():
                body.add(part)
        finally:
            response.close()
        return response, body.content()


class OpenStream:
    """A response that is read as it arrives.

    Args:
        http: has its connection.
        response: its body was not read yet.
        owns: whether to close ``http`` with it; not if its transport is the caller's.
    """

    def __init__(self, http: httpx.Client, response: httpx.Response, *, owns: bool) -> None:
        self.response = response
        self._http = http
        self._owns = owns

    def lines(self) -> Generator[str]:
        """Its lines, without their ends."""
        reader = LineReader()
        for part in self.response.iter_bytes():
            yield from reader.add(part)

    def close(self) -> None:
        """Close the connection."""
        self.response.close()
        if self._owns:
            self._http.close()
