"""The meter for code that awaits: a task sends."""

import asyncio
import atexit
import os
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from wallet_client._call import Id
from wallet_client.aio import AsyncWalletClient
from wallet_client.meter.core import (
    Kind,
    MeterClosed,
    MeterCore,
    MeterCounts,
    MeterFull,
    Outcome,
    Unsent,
    debit,
)
from wallet_client.meter.limits import MOST_OPERATIONS, Limits, WhenFull
from wallet_client.meter.telling import OnCharged, OnRefused, OnUnsent, Teller
from wallet_client.models import BatchResult
from wallet_client.money import Amount
from wallet_client.operations import Operation


class AsyncUsageMeter:
    """Records debits and sends them as batches in the background; the tasks of one event loop may record.

    Each event that ``record`` takes ends in exactly one of three: charged, refused (``on_refused`` is called), or
    unsent (``on_unsent`` is called, and ``aclose`` returns it): also when the loop ends without ``aclose``. Callbacks
    are plain functions, called on the loop; what they raise is logged.
    """

    def __init__(
        self,
        client: AsyncWalletClient,
        *,
        on_refused: OnRefused,
        on_unsent: OnUnsent,
        on_charged: OnCharged | None = None,
        max_events: int = 10_000,
        max_batch: int = MOST_OPERATIONS,
        max_delay_s: float = 1.0,
        give_up_after_s: float = 300.0,
        when_full: WhenFull = "block",
        block_timeout_s: float = 5.0,
        close_timeout_s: float = 10.0,
    ) -> None:
        """Nothing is sent yet, and no task runs; the arguments are those of ``UsageMeter``.

        Raises:
            ValueError: a limit that is none.
            TypeError: a callback that is a coroutine function.
        """
        limits = Limits(max_events, max_batch, max_delay_s, give_up_after_s, when_full, block_timeout_s)
        self._client = client
        self._core = MeterCore(limits)
        self._teller = Teller(on_refused, on_unsent, on_charged)
        self._close_timeout_s = close_timeout_s
        self._changed = asyncio.Event()
        self._line: deque[object] = deque()  # of those who wait for room: nobody overtakes
        self._task: asyncio.Task[None] | None = None
        self._unsent: list[Unsent] = []
        self._process = os.getpid()
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
            MeterClosed: the meter was closed. The event is not recorded.
            TypeError, ValueError: an event that can't be sent.
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
        if (self._core.full or self._line) and not self._core.closing:
            await self._wait_for_room()
        if self._core.closing:
            raise MeterClosed("the usage meter is closed")
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._task = loop.create_task(self._run(), name="wallet-usage-meter")
        if self._core.add(key, operation, loop.time()):
            self._tell_waiting()
        return key

    @property
    def counts(self) -> MeterCounts:
        """How many events have come to what, and how old the oldest pending one is."""
        return self._core.counts(asyncio.get_running_loop().time())

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Send what was recorded until now without delay, and wait for it; whether all of it has its outcome.

        Args:
            timeout_s: how long to wait; None: until it is done, or given up.
        """
        last = self._core.recorded
        self._core.flushing += 1
        self._tell_waiting()
        try:
            async with asyncio.timeout(timeout_s):
                while not self._core.done(last):
                    await self._changed.wait()
        except TimeoutError:
            return False
        finally:
            self._core.flushing -= 1
        return True

    async def aclose(self, timeout_s: float | None = None) -> list[Unsent]:
        """Take no more events, send those that are pending, and give up what was not sent in time.

        Args:
            timeout_s: how long that may take; None: ``close_timeout_s``.

        Returns:
            The events that were given up, of which ``on_unsent`` was told too; none when it was closed before.
        """
        if self._core.closing:
            return []
        self._core.closing = True
        self._tell_waiting()
        try:
            if self._task is not None:
                await asyncio.wait(
                    [self._task], timeout=self._close_timeout_s if timeout_s is None else timeout_s
                )
        finally:
            self._abandon()
            if self._task is not None:
                self._task.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])
        return list(self._unsent)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _wait_for_room(self) -> None:
        place = object()
        self._line.append(place)
        try:
            async with asyncio.timeout(self._core.limits.room_wait_s):
                while not self._core.closing and (self._core.full or self._line[0] is not place):
                    await self._changed.wait()
        except TimeoutError:
            raise MeterFull(f"the usage meter holds {self._core.limits.max_events} events") from None
        finally:
            self._line.remove(place)
            self._tell_waiting()

    def _tell_waiting(self) -> None:
        """Whoever waits looks again; nobody else sees the event set."""
        self._changed.set()
        self._changed.clear()

    async def _run(self) -> None:
        try:
            while True:
                given_up, batch = await self._next()
                self._tell(given_up)
                if batch is not None:
                    self._tell(await self._sent(batch))
                elif not given_up:
                    return
        except BaseException:  # a cancellation too: nobody would send what is recorded from here on
            self._core.closing = True
            self._abandon()
            raise

    async def _sent(self, batch: list[Operation]) -> list[Outcome]:
        loop = asyncio.get_running_loop()
        results: list[BatchResult] | None = None
        error: Exception | None = None
        try:
            results = await self._client.transactions.batch(batch)
        except Exception as raised:  # noqa: BLE001 - whatever it is, the events are still there
            error = raised
        if results is not None:
            outcomes = self._core.answered(results, loop.time())
        else:
            outcomes = self._core.failed(error or RuntimeError("no results"), loop.time())
        self._tell_waiting()
        return outcomes

    async def _next(self) -> tuple[list[Unsent], list[Operation] | None]:
        """What is too old, and the next batch, when there is one of them; neither: there will be none."""
        loop = asyncio.get_running_loop()
        while True:
            given_up = self._core.expire(loop.time())
            if given_up:
                self._tell_waiting()
                return given_up, None
            batch = self._core.take(loop.time())
            if batch is not None or (self._core.closing and self._core.idle):
                return [], batch
            try:
                async with asyncio.timeout(self._core.due_in_s(loop.time())):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _abandon(self) -> None:
        """Give up what is pending. Also at the end of a process whose loop ended without a word."""
        if os.getpid() == self._process:  # after a fork the events are the parent's
            self._tell(self._core.abandon())
        atexit.unregister(self._abandon)

    def _tell(self, outcomes: "list[Outcome] | list[Unsent]") -> None:
        if self._core.closing:
            self._unsent += [outcome for outcome in outcomes if isinstance(outcome, Unsent)]
        self._teller.tell(outcomes)
