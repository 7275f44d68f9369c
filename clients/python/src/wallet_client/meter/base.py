"""What both meters share beside the core: what they are made with, and the telling of outcomes."""

import os
from typing import Generic, TypeVar

from wallet_client.meter.core import MeterCore
from wallet_client.meter.limits import MOST_OPERATIONS, Limits, WhenFull
from wallet_client.meter.telling import OnCharged, OnRefused, OnUnsent, Teller
from wallet_client.meter.usage import MeterClosed

Client = TypeVar("Client")


class MeterBase(Generic[Client]):
    """A meter before it sends anything."""

    def __init__(
        self,
        client: Client,
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
        """Nothing is sent yet, and nothing runs in the background.

        Args:
            client: what sends, a WalletClient, or an AsyncWalletClient for an AsyncUsageMeter; close it after the meter.
            on_refused: called with an event and why the service refused it.
            on_unsent: called with an event that was given up.
            on_charged: called with an event and its transaction.
            max_events: held at once, those under way included.
            max_batch: events in a request, at most 500.
            max_delay_s: how long an event waits for others, at most.
            give_up_after_s: the age at which an event that could not be sent is given up.
            when_full: ``block`` waits for room, ``raise`` does not; use that for a UsageMeter on an event loop.
            block_timeout_s: how long ``block`` waits before it raises MeterFull.
            close_timeout_s: how long the end of a ``with`` block, and the end of the process, wait for the last batch.

        Raises:
            ValueError: a limit that is none.
            TypeError: a callback that is a coroutine function.
        """
        limits = Limits(max_events, max_batch, max_delay_s, give_up_after_s, when_full, block_timeout_s)
        self._client = client
        self._core = MeterCore(limits)
        self._teller = Teller(self._core.untold, on_refused, on_unsent, on_charged)
        self._close_timeout_s = close_timeout_s
        # Of those who wait for room, and when they were here last: nobody overtakes.
        self._line: dict[object, float] = {}
        self._process = os.getpid()
        self._set_up()

    def _set_up(self) -> None:
        raise NotImplementedError  # each waits in its own way

    @property
    def _in_child(self) -> bool:
        return os.getpid() != self._process

    def _refuse_in_child(self) -> None:
        if self._in_child:
            raise MeterClosed("the usage meter was made before this process forked: make one here")
