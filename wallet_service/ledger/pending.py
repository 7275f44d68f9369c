"""A unit on its way through group commit: its caller, what is still to be decided, and its deadline."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from opentelemetry.trace import SpanContext

from wallet_service.core.errors import Overloaded, Unavailable, WalletBusy, WalletError
from wallet_service.ledger.metrics import CommitMetrics
from wallet_service.ledger.operations import Lockable, Operation, Unit
from wallet_service.ledger.outcomes import Busy, Outcome, Refused


class Answer:
    """What one caller waits for: the outcomes of all operations of its unit, in order.

    Args:
        operations: of the unit.
        metrics: counts their outcomes.

    Attributes:
        future: done when the last outcome is there. The caller may have cancelled it; then the outcomes are dropped.
    """

    def __init__(self, operations: Sequence[Operation], metrics: CommitMetrics) -> None:
        self.future: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._operations = operations
        self._metrics = metrics
        self._outcomes: list[Outcome | None] = [None] * len(operations)
        self._missing = len(operations)

    def put(self, places: Sequence[int], outcomes: Sequence[Outcome]) -> None:
        """Add the outcomes of the operations at these places."""
        for place, outcome in zip(places, outcomes, strict=True):
            self._outcomes[place] = outcome
            self._metrics.decided(self._operations[place], outcome)
        self._missing -= len(places)
        if not self._missing and not self.future.done():
            self.future.set_result([outcome for outcome in self._outcomes if outcome is not None])

    def fail(self, places: Sequence[int], error: WalletError) -> None:
        """The call with the operations at these places failed as a whole."""
        self._metrics.failed((self._operations[place] for place in places), error)
        if not self.future.done():
            # Each caller gets an error of its own, to which it may add facts.
            own = type(error)(error.detail, **error.facts)
            own.__cause__ = error.__cause__
            self.future.set_exception(own)


@dataclass(slots=True, eq=False)
class PendingUnit:
    """A unit, or the undecided part of one, that waits to be sent.

    Attributes:
        unit: what is to be decided.
        answer: where its outcomes go.
        places: the places of its operations in the answer.
        queued_at: when it was accepted, in seconds of the loop's clock.
        deadline: until when it may wait to be sent, in seconds of the loop's clock.
        resent: an earlier sending may have posted it.
        sendings: how often it was sent.
        locked: another session has, or had, locked a wallet or key of it.
        sent: it was sent at least once.
        origin: the span of its request, where that is traced.
    """

    unit: Unit
    answer: Answer
    places: Sequence[int]
    queued_at: float
    deadline: float
    resent: bool = False
    locked: bool = False
    sent: bool = False
    sendings: int = 0
    origin: SpanContext | None = None

    def key(self) -> Lockable:
        """The idempotency key of its first operation."""
        return self.unit.operations[0].key()

    def lockables(self) -> Iterator[Lockable]:
        """The wallets and keys without which it can't be decided.

        Of a unit that can be divided these are the keys only: its operations on locked wallets are decided later.
        """
        is_divisible = len(self.places) > 1 and not (self.unit.atomic or self.unit.dry_run)
        for operation in self.unit.operations:
            yield from (operation.key(),) if is_divisible else operation.lockables()

    def settle(self, outcomes: Sequence[Outcome | Busy]) -> list[tuple[str | None, "PendingUnit"]]:
        """Pass on the outcomes of the operations that were decided.

        Returns:
            The undecided parts, each with the wallet that another session has locked (None: the key).
        """
        decided = [outcome for outcome in outcomes if not isinstance(outcome, Busy)]
        if self.unit.attempt > 1 and not self.unit.dry_run:
            for outcome in decided:
                if isinstance(outcome, Refused):
                    outcome.error.facts = {**outcome.error.facts, "supersedes_earlier_attempts": True}
        if len(decided) == len(outcomes):
            self.answer.put(self.places, decided)
            return []
        if self.unit.atomic or self.unit.dry_run:
            # All are decided together or not at all.
            return [(next(each.wallet_id for each in outcomes if isinstance(each, Busy)), self)]
        waiting: dict[str | None, list[int]] = {}
        settled: list[int] = []
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, Busy):
                waiting.setdefault(outcome.wallet_id, []).append(index)
            else:
                settled.append(self.places[index])
        self.answer.put(settled, decided)
        return [(wallet_id, self._part(indices)) for wallet_id, indices in waiting.items()]

    def _part(self, indices: Sequence[int]) -> "PendingUnit":
        operations = tuple(self.unit.operations[index] for index in indices)
        return replace(
            self,
            unit=replace(self.unit, operations=operations),
            places=[self.places[index] for index in indices],
        )

    def fail(self, error: WalletError) -> None:
        """The call failed. After an attempt whose outcome is unknown, the error can't be that nothing was done."""
        if isinstance(error, Overloaded | WalletBusy):
            if self.resent:
                error = Unavailable()
            elif self.locked:  # other operations of the same unit may have been posted
                self.give_up()
                return
        self.answer.fail(self.places, error)

    def give_up(self) -> None:
        """Refuse it: its deadline has passed, or too many units wait."""
        if self.resent:
            self.fail(Unavailable())
        elif not self.locked:
            self.fail(Overloaded("The operation waited too long for its turn; nothing was done"))
        else:
            self.answer.put(self.places, [Refused(WalletBusy()) for _ in self.places])
