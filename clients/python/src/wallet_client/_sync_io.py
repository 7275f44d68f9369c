"""The input and output of a WalletClient; ``_async_io`` is its counterpart for asyncio.

The two are written by hand, because they really differ: threads and a deadline per attempt here, cancellation and an
event loop there. Change them together. Imported when the first client is created.
"""

import threading
import time
from typing import TYPE_CHECKING, Any

import httpx

from wallet_client._attempts import Attempts, BodyBuffer
from wallet_client._context import Context
from wallet_client._deadline import within

if TYPE_CHECKING:
    from concurrent.futures import Future


class Sender:
    """Sends each attempt in the caller's thread, and ends it at its deadline."""

    def __init__(self, context: Context, transport: httpx.BaseTransport | None) -> None:
        self._http = httpx.Client(transport=transport, limits=context.limits)
        if transport is None:
            from wallet_client._transport import hold_to_deadline  # noqa: PLC0415 - loads httpcore

            hold_to_deadline(self._http)
        self._places = threading.BoundedSemaphore(context.connections)

    @property
    def is_closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._http.is_closed

    def send(self, attempts: Attempts[Any]) -> tuple[httpx.Response, bytes] | None:
        """Send the next attempt and read the response, within its time; None: no base URL of the service is known.

        Raises:
            RequestError: it failed. PoolTimeout: no connection was free in time.
            UnexpectedAnswer: the response is too large.
        """
        if not self._places.acquire(timeout=attempts.connection_wait_s):
            raise httpx.PoolTimeout("all connections are in use")
        try:
            request = attempts.request()
            if request is None:
                return None
            with within(attempts.attempt_s):
                return self._exchange(request, attempts.body_buffer())
        finally:
            self._places.release()

    def sleep(self, wait_s: float) -> None:
        """Wait before the next attempt."""
        time.sleep(wait_s)

    def wait_for(self, future: "Future[None]", longest_s: float) -> None:
        """Wait until another thread has completed the future, ``longest_s`` at most."""
        from concurrent.futures import wait  # noqa: PLC0415 - needed only with Consul

        wait([future], longest_s)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _exchange(self, request: httpx.Request, body: BodyBuffer) -> tuple[httpx.Response, bytes]:
        response = self._http.send(request, stream=True)
        try:
            for part in response.iter_bytes():
                body.add(part)
        finally:
            response.close()
        return response, body.content()
