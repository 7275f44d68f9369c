"""The input and output of an AsyncWalletClient; ``_sync_io`` is its counterpart for threads.

The two are written by hand, because they really differ: cancellation and event loops here, threads and a deadline per
attempt there. Change them together. Imported when the first client is created, since asyncio is a third of what loading
this package costs.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from http import HTTPStatus
from typing import Any
from weakref import WeakKeyDictionary, ref

import httpx

from wallet_client._attempts import Attempts, BodyBuffer
from wallet_client._context import Context, is_shareable, transport_not_usable
from wallet_client._forks import renew_after_fork
from wallet_client._sse import QUIET_S, LineReader


class AsyncSender:
    """Sends attempts. Each event loop has connections of its own: those of another loop can't be used, nor awaited.

    The connections of a loop are closed when the loop ends (``asyncio.run`` does so), or with the client.
    """

    def __init__(self, context: Context, transport: httpx.AsyncBaseTransport | None) -> None:
        self._context = context
        self._transport = transport
        # Loaded once, here: it takes 10 ms and more, which would stop the loop.
        self._tls = httpx.create_ssl_context() if transport is None else None
        self._home: ref[asyncio.AbstractEventLoop] | None = None
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pool] = WeakKeyDictionary()
        self._of_parents: list[Any] = []
        self._lock = threading.Lock()
        self.is_closed = False
        renew_after_fork(self, AsyncSender._renew)

    async def send(self, attempts: Attempts[Any]) -> tuple[httpx.Response, bytes]:
        """Send the next attempt and read the response, within its time.

        Raises:
            NoEndpoint: no base URL of the service is known.
            RequestError: it failed. PoolTimeout: no connection was free in time.
            UnexpectedAnswer: the response is too large.
            TransportNotUsable: the transport belongs to another event loop. Nothing was sent.
        """
        pool = self._pools.get(asyncio.get_running_loop())
        return await (pool or await self._new_pool()).send(attempts)

    async def open_stream(self, request: httpx.Request) -> "tuple[AsyncOpenStream, bytes]":
        """Send a request whose response has no end, over a connection of its own.

        Returns:
            The stream; and of a response that is none, the body, and the stream is closed.

        Raises:
            RequestError: it failed.
        """
        request.extensions["timeout"]["read"] = QUIET_S
        http = httpx.AsyncClient(transport=self._transport, verify=self._tls or True)
        opened = AsyncOpenStream(http, await http.send(request, stream=True), owns=self._transport is None)
        if opened.response.status_code == HTTPStatus.OK:
            return opened, b""
        try:
            return opened, await opened.response.aread()
        finally:
            await opened.aclose()

    async def sleep(self, wait_s: float) -> None:
        """Wait before the next attempt."""
        await asyncio.sleep(wait_s)

    async def wait_for(self, future: "Future[None]", longest_s: float) -> None:
        """Wait until another thread has completed the future, ``longest_s`` at most."""
        await asyncio.wait([asyncio.wrap_future(future)], timeout=longest_s)

    async def aclose(self) -> None:
        """Cancel the attempts that are still running, and close the connections.

        Those of other loops close in their loops.
        """
        self.is_closed = True
        here = asyncio.get_running_loop()
        with self._lock:
            pools = dict(self._pools)
            self._pools.clear()
        for loop, pool in pools.items():
            if loop is here:
                await pool.aclose()
            elif loop.is_running():
                asyncio.run_coroutine_threadsafe(pool.aclose(), loop)

    async def _new_pool(self) -> "_Pool":
        """The connections of the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            for other in [each for each in self._pools if each.is_closed()]:
                del self._pools[other]
            if self._home is None:
                self._home = ref(loop)
            elif self._home() is not loop and not is_shareable(self._transport):
                raise transport_not_usable("event loop")
            if self.is_closed:
                raise RuntimeError("the client was closed")  # after this call began
            http = httpx.AsyncClient(
                transport=self._transport, verify=self._tls or True, limits=self._context.limits
            )
            pool = self._pools[loop] = _Pool(http, self._context.connections)
        await pool.open(self._forget)
        return pool

    def _forget(self, loop: asyncio.AbstractEventLoop) -> None:
        self._pools.pop(loop, None)

    def _renew(self) -> None:
        """In a child process: the connections belong to the parent. They are kept, since closing needs their loop."""
        self._of_parents.append(self._pools)
        self._pools = WeakKeyDictionary()
        self._lock = threading.Lock()


class AsyncOpenStream:
    """A response that is read as it arrives.

    Args:
        http: has its connection.
        response: its body was not read yet.
        owns: whether to close ``http`` with it; not if its transport is the caller's.
    """

    def __init__(self, http: httpx.AsyncClient, response: httpx.Response, *, owns: bool) -> None:
        self.response = response
        self._http = http
        self._owns = owns

    async def lines(self) -> AsyncGenerator[str]:
        """Its lines, without their ends."""
        reader = LineReader()
        async for part in self.response.aiter_bytes():
            for line in reader.add(part):
                yield line

    async def aclose(self) -> None:
        """Close the connection."""
        await self.response.aclose()
        if self._owns:
            await self._http.aclose()


class _Pool:
    """The connections of one event loop.

    Each attempt is sent in a task of its own, so that a cancelled caller does not disturb the connections. A request that
    is cancelled inside httpcore (1.0.9) may keep its place in the pool for ever. So callers wait for a place here, where
    they can be cancelled before anything is sent. A request that was sent runs to its end without the caller, for twice
    ``timeout_s`` at most.
    """

    def __init__(self, http: httpx.AsyncClient, connections: int) -> None:
        self._http = http
        self._places = asyncio.Semaphore(connections)
        self._tasks: set[asyncio.Task[tuple[httpx.Response, bytes]]] = set()
        self._keeper: AsyncGenerator[None] | None = None

    async def open(self, forget: Callable[[asyncio.AbstractEventLoop], None]) -> None:
        """Close the connections when the loop ends: a loop closes its asynchronous generators then."""
        self._keeper = self._kept(forget)
        await anext(self._keeper)

    async def send(self, attempts: Attempts[Any]) -> tuple[httpx.Response, bytes]:
        """Send the next attempt, as ``AsyncSender.send`` does."""
        await self._take_place(attempts.connection_wait_s)
        try:
            request = attempts.request()
        except BaseException:  # whatever ends the attempt, its place is free again
            self._places.release()
            raise
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

    async def aclose(self) -> None:
        """Cancel the attempts that are still running, and close the connections."""
        if self._keeper is not None:
            await self._keeper.aclose()

    async def _kept(self, forget: Callable[[asyncio.AbstractEventLoop], None]) -> AsyncGenerator[None]:
        loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            forget(loop)
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
