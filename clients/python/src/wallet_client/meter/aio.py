"""The meter for code that awaits: a task sends."""

import asyncio
import atexit
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from wallet_client._call import Id
from wallet_client.aio import AsyncWalletClient
from wallet_client.meter.base import MeterBase
from wallet_client.meter.usage import Kind, MeterClosed, MeterCounts, MeterFull, Unsent, debit
from wallet_client.models import BatchResult
from wallet_client.money import Amount
from wallet_client.operations import Operation


class AsyncUsageMeter(MeterBase[AsyncWalletClient]):
    """Records debits and sends them as batches in the background; the tasks of one event loop may record.

    Each event that ``record`` takes ends in exactly one of three: charged, refused (``on_refused`` is called), or
    unsent (``on_unsent`` is called, and ``aclose`` returns it): also when the loop ends without ``aclose``. Callbacks
    are plain functions, called on the loop; what they raise is logged. After a fork it belongs to the parent.
    """

    def _set_up(self) -> None:
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        atexit.register(self._abandon)

    async def record(
        self,
        wallet_id: Id,
        amount: Amount,
        *,
        kind: Kind = "consume",
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: datetime | None = None,
        counter_account: str | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Take an event, as ``UsageMeter.record`` does; where it is full and blocks, other tasks go on.

        Returns:
            The event's idempotency key: the given one, or a new one.

        Raises:
            MeterFull: there is no room. The event is not recorded.
            MeterClosed: the meter was closed, or its loop ended. The event is not recorded.
            TypeError, ValueError: an event that can't be sent.
            RuntimeError: called on another loop than before. The event is not recorded.
        """
        key, operation = debit(
            wallet_id,
            amount,
            kind=kind,
            description=description,
            reference=reference,
            metadata=metadata,
            effective_at=effective_at,
            counter_account=counter_account,
            idempotency_key=idempotency_key,
        )
        self._refuse_in_child()
        self._refuse_other_loop()
        if (self._core.full or self._line) and not self._core.closing:
            await self._wait_for_room()
        if self._core.closing:
            raise MeterClosed("the usage meter is closed")
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._task = loop.create_task(self._run(), name="wallet-usage-meter")
            self._task.add_done_callback(self._ended)
        self._core.add(key, operation, loop.time())
        if self._core.due_anew:
            self._tell_waiting()
        return key

    @property
    def counts(self) -> MeterCounts:
        """How many events have come to what, and how old the oldest pending one is.

        Raises:
            MeterClosed: in a child of the process that made it.
        """
        self._refuse_in_child()
        return self._core.counts(asyncio.get_running_loop().time())

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Send what was recorded until now without delay, and wait for it; whether all of it has its outcome.

        Args:
            timeout_s: how long to wait; None: until it is done, or given up.

        Raises:
            RuntimeError: called on another loop than ``record``.
        """
        self._refuse_in_child()
        self._refuse_other_loop()
        last = self._core.flush()
        self._tell_waiting()
        try:
            async with asyncio.timeout(timeout_s):
                while not self._core.done(last):
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def aclose(self, timeout_s: float | None = None) -> list[Unsent]:
        """Take no more events, send those that are pending, and give up what was not sent in time.

        Args:
            timeout_s: how long that may take; None: ``close_timeout_s``.

        Returns:
            The events that were given up, of which ``on_unsent`` was told too; none when it was closed before. Who
            closes while another does waits for that as long as this may take, and gives up nothing.

        Raises:
            RuntimeError: called on another loop than ``record``.
        """
        if self._in_child:
            return []
        self._refuse_other_loop()
        longest_s = self._close_timeout_s if timeout_s is None else timeout_s
        first, self._core.closing = not self._core.closing, True
        self._tell_waiting()
        if not first:
            if self._task is not None and not self._task.done():
                await asyncio.wait([self._task], timeout=longest_s)
            return []
        try:
            if self._task is not None:
                await asyncio.wait([self._task], timeout=longest_s)
        finally:
            self._abandon()
            self._tell_waiting()
            if self._task is not None:
                self._task.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])
        return list(self._core.unsent.values())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _wait_for_room(self) -> None:
        place = object()
        try:
            self._line[place] = asyncio.get_running_loop().time()
            async with asyncio.timeout(self._core.limits.room_wait_s):
                while not self._core.closing and (self._core.full or next(iter(self._line)) is not place):
                    await self._changed.wait()
        except TimeoutError:
            raise MeterFull(f"the usage meter holds {self._core.limits.max_events} events") from None
        finally:
            self._line.pop(place, None)
            self._tell_waiting()

    def _tell_waiting(self) -> None:
        """Whoever waits looks again; nobody else sees the event set."""
        self._changed.set()
        self._changed.clear()

    def _refuse_other_loop(self) -> None:
        task = self._task
        if task is not None and not task.done() and task.get_loop() is not asyncio.get_running_loop():
            raise RuntimeError("the usage meter belongs to another event loop: make one for each")

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """The task is over, perhaps cancelled before it began: nobody would send what is recorded from here on."""
        del task
        self._core.closing = True
        self._abandon()
        self._tell_waiting()

    async def _run(self) -> None:
        while (batch := await self._next()) is not None:
            if batch:
                await self._send(batch)
            self._teller.tell()

    async def _send(self, batch: list[Operation]) -> None:
        loop = asyncio.get_running_loop()
        results: list[BatchResult] | None = None
        error: Exception | None = None
        try:
            results = await self._client.transactions.batch(batch)
        except Exception as raised:  # noqa: BLE001 - whatever it is, the events are still there
            error = raised
        if results is not None:
            self._core.answered(results, loop.time())
        else:
            self._core.failed(error or RuntimeError("no results"), loop.time())
        self._tell_waiting()

    async def _next(self) -> list[Operation] | None:
        """The next batch, when there is one; empty: there is something to tell first; None: there will be none."""
        loop = asyncio.get_running_loop()
        while True:
            if self._core.expire(loop.time()):
                self._tell_waiting()
                return []
            batch = self._core.take(loop.time())
            if batch is not None or (self._core.closing and self._core.idle):
                return batch
            try:
                async with asyncio.timeout(self._core.due_in_s(loop.time())):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _abandon(self) -> None:
        """Give up what is pending. Also at the end of a process whose loop ended without a word."""
        if not self._in_child:  # after a fork the events are the parent's
            self._core.abandon()
            self._teller.tell()
        atexit.unregister(self._abandon)
