"""How an AsyncWalletClient sends a try. Apart, so that asyncio is loaded for those who await."""

import asyncio
from concurrent.futures import Future
from typing import Any

import httpx

from wallet_client._attempts import Body, Plan


class Sender:
    """Sends each try in a task of its own, so that the pool does not notice when a caller goes away.

    A request that is cancelled within httpcore (1.0.9) may keep its place in the pool for ever. So callers wait for a
    place here, where they can be cancelled and nothing was sent; what was sent goes on to its end without them, for
    twice ``timeout_s`` at most.
    """

    def __init__(self, http: httpx.AsyncClient, places: int) -> None:
        self._http = http
        self._free = asyncio.Semaphore(places)
        self._tries: set[asyncio.Task[tuple[httpx.Response, bytes]]] = set()

    async def send(self, plan: Plan[Any]) -> tuple[httpx.Response, bytes] | None:
        """Send the next try and read its answer, within its time; None: nobody knows where to.

        Raises:
            RequestError: it failed. PoolTimeout: there was no place in time.
            UnexpectedAnswer: the answer is too large.
        """
        await self._take_place(plan.room_s)
        request = plan.request()
        if request is None:
            self._free.release()
            return None
        loop = asyncio.get_running_loop()
        limit_s = plan.try_s
        task = loop.create_task(self._exchange(request, plan.body()))
        self._tries.add(task)
        task.add_done_callback(self._over)
        try:
            await asyncio.wait((task,), timeout=limit_s)
        finally:
            if not task.done():
                loop.call_later(limit_s, task.cancel)
        if not task.done():
            raise httpx.ReadTimeout("no whole answer in time", request=request)
        if task.cancelled():
            raise httpx.ReadError("the client was closed", request=request)
        return task.result()

    async def aclose(self) -> None:
        """End the tries that are still under way."""
        tries = list(self._tries)
        for task in tries:
            task.cancel()
        if tries:
            await asyncio.wait(tries)

    async def _take_place(self, wait_s: float) -> None:
        if not self._free.locked():
            await self._free.acquire()  # which is at once
            return
        try:
            async with asyncio.timeout(wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("all connections are in use") from None

    async def _exchange(self, request: httpx.Request, body: Body) -> tuple[httpx.Response, bytes]:
        response = await self._http.send(request, stream=True)
        try:
            async for part in response.aiter_bytes():
                body.add(part)
        finally:
            await response.aclose()
        return response, body.whole()

    def _over(self, task: "asyncio.Task[tuple[httpx.Response, bytes]]") -> None:
        self._tries.discard(task)
        self._free.release()
        if not task.cancelled():
            task.exception()  # nobody may be there to hear of it


async def sleep(wait_s: float) -> None:
    """Let others go on for so long."""
    await asyncio.sleep(wait_s)


async def wait_for(future: "Future[None]", longest_s: float) -> None:
    """Wait until a thread has done it, or for so long."""
    await asyncio.wait([asyncio.wrap_future(future)], timeout=longest_s)
