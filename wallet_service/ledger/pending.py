"""A unit on its way through group commit: who waits for it, what is still to be decided, until when it may wait."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from opentelemetry.trace import SpanContext

from wallet_service.core.errors import Overloaded, Unavailable, WalletBusy, WalletError
from wallet_service.ledger.metrics import CommitMetrics
from wallet_service.ledger.operations import Operation, Unit
from wallet_service.ledger.outcomes import Busy, Outcome, Refused


class Answer:
    """What one caller waits for: the outcomes of all their operations, in order.

    Args:
        operations: theirs.
        metrics: counts what becomes of each.

    Attributes:
        future: done when the last outcome is there. Its caller may have gone: nobody is told then.
    """

    def __init__(self, operations: Sequence[Operation], metrics: CommitMetrics) -> None:
        self.future: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._operations = operations
        self._metrics = metrics
        self._outcomes: list[Outcome | None] = [None] * len(operations)
        self._missing = len(operations)

    def put(self, places: Sequence[int], outcomes: Sequence[Outcome]) -> None:
        """Take the outcomes of the operations at these places."""
        for place, outcome in zip(places, outcomes, strict=True):
            self._outcomes[place] = outcome
            self._metrics.decided(self._operations[place], outcome)
        self._missing -= len(places)
        if not self._missing and not self.future.done():
            self.future.set_result([outcome for outcome in self._outcomes if outcome is not None])

    def fail(self, places: Sequence[int], error: WalletError) -> None:
        """Tell the caller that the call with the operations at these places failed as a whole."""
        self._metrics.failed((self._operations[place] for place in places), error)
        if not self.future.done():
            # One of its own: others who fail with it add to theirs what concerns them.
            own = type(error)(error.detail, **error.facts)
            own.__cause__ = error.__cause__
            self.future.set_exception(own)


@dataclass(slots=True, eq=False)
class PendingUnit:
    """A unit, or what is left of one, that waits to be sent.

    Attributes:
        unit: what is to be decided.
        answer: where its outcomes go.
        places: of its operations in the answer.
        queued_at: in seconds of the loop's clock.
        deadline: until when it may wait to be sent, in seconds of the loop's clock.
        resent: an earlier attempt may have happened.
        locked: somebody else holds its wallet or key.
        sent: it had its turn.
        origin: the span of the request that it comes from, where that is traced.
    """

    unit: Unit
    answer: Answer
    places: Sequence[int]
    queued_at: float
    deadline: float
    resent: bool = False
    locked: bool = False
    sent: bool = False
    origin: SpanContext | None = None

    def settle(self, outcomes: Sequence[Outcome | Busy]) -> list[tuple[str | None, "PendingUnit"]]:
        """Hand on what was decided.

        Returns:
            What is still to be decided, each with the wallet that somebody else holds (None: the key).
        """
        decided = [outcome for outcome in outcomes if not isinstance(outcome, Busy)]
        if len(decided) == len(outcomes):
            self.answer.put(self.places, decided)
            return []
        if self.unit.atomic or self.unit.dry_run:
            # Decided together or not at all.
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
        return replace(self, unit=Unit(operations), places=[self.places[index] for index in indices])

    def fail(self, error: WalletError) -> None:
        """Tell the caller that this failed; after a lost attempt nobody can say that nothing was done."""
        if isinstance(error, Overloaded | WalletBusy):
            if self.resent:
                error = Unavailable()
            elif self.locked:  # other operations of the same caller may have been posted
                self.give_up()
                return
        self.answer.fail(self.places, error)

    def give_up(self) -> None:
        """It has waited for as long as it may."""
        if self.resent:
            self.fail(Unavailable())
        elif not self.locked:
            self.fail(Overloaded("The operation waited too long for its turn; nothing was done"))
        else:
            self.answer.put(self.places, [Refused(WalletBusy()) for _ in self.places])
