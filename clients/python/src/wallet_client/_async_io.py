"""The input and output of an AsyncWalletClient; ``_sync_io`` is its counterpart for threads.

The two are written by hand, because they really differ: cancellation and an event loop here, threads and a deadline per
attempt there. Change them together. Imported when the first client is created, since asyncio is a third of what loading
this package costs.
"""

import asyncio
from concurrent.futures import Future
from typing import Any

import httpx

from wallet_client._attempts import Attempts, BodyBuffer
from wallet_client._context import Context


class AsyncSender:
    """Sends each attempt in a task of its own, so that a cancelled caller does not disturb the connection pool.

    A request that is cancelled inside httpcore (1.0.9) may keep its place in the pool for ever. So callers wait for a
    place here, where they can be cancelled before anything is sent. A request that was sent runs to its end without the
    caller, for twice ``timeout_s`` at most.
    """

    def __init__(self, context: Context, transport: httpx.AsyncBaseTransport | None) -> None:
        self._http = httpx.AsyncClient(transport=transport, limits=context.limits)
        self._places = asyncio.Semaphore(context.connections)
        self._tasks: set[asyncio.Task[tuple[httpx.Response, bytes]]] = set()

    @property
    def is_closed(self) -> bool:
        """Whether ``aclose`` was called."""
        return self._http.is_closed

    async def send(self, attempts: Attempts[Any]) -> tuple[httpx.Response, bytes] | None:
        """Send the next attempt and read the response, within its time; None: no base URL of the service is known.

        Raises:
            RequestError: it failed. PoolTimeout: no connection was free in time.
            UnexpectedAnswer: the response is too large.
        """
        await self._take_place(attempts.connection_wait_s)
        request = attempts.request()
        if request is None:
            self._places.release()
            return None
        loop = asyncio.get_running_loop()
        limit_s = attempts.attempt_s
        task = loop.create_task(self._exchange(request, attempts.body_buffer()))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        try:
            await asyncio.wait((task,), timeout=limit_s)
        finally:
            if not task.done():
                loop.call_later(limit_s, task.cancel)
        if not task.done():
            raise httpx.ReadTimeout("no complete response in time", request=request)
        if task.cancelled():
            raise httpx.ReadError("the client was closed", request=request)
        return task.result()

    async def sleep(self, wait_s: float) -> None:
        """Wait before the next attempt."""
        await asyncio.sleep(wait_s)

    async def wait_for(self, future: "Future[None]", longest_s: float) -> None:
        """Wait until another thread has completed the future, ``longest_s`` at most."""
        await asyncio.wait([asyncio.wrap_future(future)], timeout=longest_s)

    async def aclose(self) -> None:
        """Cancel the attempts that are still running, and close the connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._http.aclose()

    async def _take_place(self, wait_s: float) -> None:
        if not self._places.locked():
            await self._places.acquire()  # returns at once
            return
        try:
            async with asyncio.timeout(wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("all connections are in use") from None

    async def _exchange(self, request: httpx.Request, body: BodyBuffer) -> tuple[httpx.Response, bytes]:
        response = await self._http.send(request, stream=True)
        try:
            async for part in response.aiter_bytes():
                body.add(part)
        finally:
            await response.aclose()
        return response, body.content()

    def _ended(self, task: "asyncio.Task[tuple[httpx.Response, bytes]]") -> None:
        self._tasks.discard(task)
        self._places.release()
        if not task.cancelled():
            task.exception()  # marks it as retrieved: the caller may have been cancelled
