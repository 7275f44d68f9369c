"""A hold for a job whose cost is known only while it runs, such as the answer of a language model."""

import time
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from wallet_client._async.holds import AsyncHoldsResource
from wallet_client._call import Id
from wallet_client.errors import (
    GrantsNotUsable,
    HoldEnded,
    InsufficientFunds,
    LimitExceeded,
    OutcomeUnknown,
    WalletError,
)
from wallet_client.keys import new_key
from wallet_client.money import Amount, amount_text

if TYPE_CHECKING:
    from wallet_client.holds import Hold, Overage

_MOST_STEPS = 10
"""An estimate that is right is captured in so many steps."""
_NO_MORE = (InsufficientFunds, GrantsNotUsable, LimitExceeded)


class AsyncMeteredHold:
    """A hold that grows with the cost of a job: ``async with client.metered_hold(wallet_id, estimate=2) as meter``.

    It places a hold of the estimate, captures in small steps as cost comes, and increases and extends the hold meanwhile.
    At the end it captures the rest of the cost and releases what is left. If the block raises, what is left is voided;
    what was captured stays so. If the process dies, the hold expires by itself. For one task: calls are not concurrent.

    Attributes:
        cost: the sum of what ``add`` was given.
        captured: what was captured of it.
    """

    def __init__(
        self,
        holds: AsyncHoldsResource,
        wallet_id: Id,
        estimate: Amount,
        *,
        step: Amount | None = None,
        expires_in_s: int = 600,
        counter_account: str | None = None,
        overage: "Overage" = "take_available",
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self._holds = holds
        self._wallet_id = wallet_id
        self._estimate = Decimal(amount_text(estimate))
        self._step = self._estimate / _MOST_STEPS if step is None else Decimal(amount_text(step))
        self._growth = max(self._step, self._estimate / 2)
        self._expires_in_s = expires_in_s
        self._counter_account = counter_account
        self._overage: Overage = overage
        self._reference = reference
        self._metadata = metadata
        self._hold: Hold | None = None
        self._extended = 0.0
        self._pending = Decimal(0)
        self._sending: tuple[Decimal, str] | None = None
        self.cost = Decimal(0)
        self.captured = Decimal(0)

    @property
    def hold(self) -> "Hold":
        """The hold as it was after the last call.

        Raises:
            RuntimeError: the block has not begun.
        """
        if self._hold is None:
            raise RuntimeError(
                "a metered hold begins with its block: async with client.metered_hold(…) as meter"
            )
        return self._hold

    @property
    def uncollected(self) -> Decimal:
        """The cost that is not captured; after the block, what the wallet could not pay."""
        return self.cost - self.captured

    async def add(self, cost: Amount) -> None:
        """Add to the cost. It is captured when a step is reached.

        Args:
            cost: in the wallet's currency, 0 or more; it may have more decimals than the currency.

        Raises:
            InsufficientFunds, GrantsNotUsable, LimitExceeded: the wallet can't pay for more. What the hold kept is
                captured: end the job.
            HoldEnded: the hold has expired, or another caller ended it.
            OutcomeUnknown: there was no response in time. The next call sends the same capture again.
            ValueError, TypeError: the cost is below 0, or no amount.
        """
        more = Decimal(amount_text(cost))
        if more < 0:
            raise ValueError(f"a cost is never below 0, but {cost}")
        self.cost += more
        self._pending += more
        await self._keep_alive()
        if self._sending is not None or self._pending >= self._step:
            await self._capture_pending()

    async def __aenter__(self) -> Self:
        self._extended = time.monotonic()
        self._hold = await self._holds.create(
            self._wallet_id,
            self._estimate,
            expires_in_s=self._expires_in_s,
            counter_account=self._counter_account,
            reference=self._reference,
            metadata=self._metadata,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self._settle()
            return
        try:
            await self._void()
        except WalletError as other:
            error.add_note(
                f"The hold {self.hold.hold_id} could not be voided, and expires by itself: {other}"
            )

    async def _keep_alive(self) -> None:
        """Extend the hold when half of its time is over."""
        now = time.monotonic()
        if now - self._extended > self._expires_in_s / 2:
            self._hold = await self._holds.extend(self.hold.hold_id, expires_in_s=self._expires_in_s)
            self._extended = now

    async def _capture_pending(self) -> None:
        """Capture the cost that is due, and keep something for what comes."""
        await self._send()
        due = self._rounded(self._pending, ROUND_FLOOR)
        if due <= 0:
            return
        if due >= self.hold.remaining:
            await self._increase(due)
        self._pending -= due
        self._sending = (due, new_key())
        await self._send()

    async def _increase(self, due: Decimal) -> None:
        """Keep what is due and something more; where the wallet has little left, only a step more."""
        while True:
            more = self._rounded(due - self.hold.remaining + self._growth, ROUND_CEILING)
            try:
                self._hold = await self._holds.increase(self.hold.hold_id, more)
            except _NO_MORE:
                if self._growth <= self._step:
                    await self._settle()
                    raise
                self._growth = self._step
            else:
                return

    async def _send(self, *, final: bool = False) -> None:
        """Send a capture, or again one whose outcome is not known."""
        if self._sending is None:
            return
        amount, key = self._sending
        overage = self._overage if final else "refuse"
        try:
            made = await self._holds.capture(
                self.hold.hold_id, amount, final=final, overage=overage, idempotency_key=key
            )
        except OutcomeUnknown:
            raise
        except WalletError:
            self._pending += amount
            self._sending = None
            raise
        self._sending = None
        self._hold = made.hold
        self.captured += made.transaction.amount

    async def _settle(self) -> None:
        """Capture the rest of the cost, and release what is left of the hold."""
        if self.hold.state != "open":
            return
        await self._send()
        rest = self._rounded(self._pending, ROUND_HALF_UP)
        if self.hold.state != "open":
            return
        if rest <= 0:
            await self._void()
            return
        self._pending -= rest
        self._sending = (rest, new_key())
        await self._send(final=True)

    async def _void(self) -> None:
        if self.hold.state == "open":
            try:
                self._hold = await self._holds.void(self.hold.hold_id)
            except HoldEnded:
                self._hold = await self._holds.get(self.hold.hold_id)

    def _rounded(self, amount: Decimal, rounding: str) -> Decimal:
        """An amount with the decimals of the currency, which those of the hold have."""
        return amount.quantize(self.hold.authorised, rounding=rounding)
