"""The caller's functions that hear what became of each event."""

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from wallet_client.errors import ServiceError
from wallet_client.meter.core import Charged, NotCharged, Outcome, Unsent, Usage
from wallet_client.models import Transaction

OnCharged: TypeAlias = Callable[[Usage, Transaction], Any]
OnRefused: TypeAlias = Callable[[Usage, ServiceError], Any]
OnUnsent: TypeAlias = Callable[[Unsent], Any]

log = logging.getLogger("wallet_client")


class Teller:
    """Calls them, one event after the other. One that raises is logged, and the others are told all the same."""

    def __init__(
        self, on_refused: OnRefused, on_unsent: OnUnsent, on_charged: OnCharged | None = None
    ) -> None:
        self._on_refused = on_refused
        self._on_unsent = on_unsent
        self._on_charged = on_charged

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """Tell of these outcomes."""
        for outcome in outcomes:
            try:
                self._tell(outcome)
            except Exception:
                log.exception("a callback of the usage meter failed: %s", type(outcome).__name__)

    def _tell(self, outcome: Outcome) -> None:
        match outcome:
            case Charged():
                if self._on_charged is not None:
                    self._on_charged(outcome.usage, outcome.transaction)
            case NotCharged():
                self._on_refused(outcome.usage, outcome.error)
            case Unsent():
                self._on_unsent(outcome)
