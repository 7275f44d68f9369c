"""The caller's functions that hear what became of each event."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeAlias

from wallet_client._options import check_plain_function
from wallet_client.errors import ServiceError
from wallet_client.meter.core import Charged, NotCharged, Outcome, Unsent, Usage
from wallet_client.models import Transaction

OnCharged: TypeAlias = Callable[[Usage, Transaction], None]
OnRefused: TypeAlias = Callable[[Usage, ServiceError], None]
OnUnsent: TypeAlias = Callable[[Unsent], None]

log = logging.getLogger("wallet_client")


class Teller:
    """Calls them, one event after the other. One that raises is logged, and the others are told all the same.

    Raises:
        TypeError: a coroutine function, which nobody would await.
    """

    def __init__(
        self, on_refused: OnRefused, on_unsent: OnUnsent, on_charged: OnCharged | None = None
    ) -> None:
        for name, function in (("on_refused", on_refused), ("on_unsent", on_unsent)):
            check_plain_function(name, function)
        if on_charged is not None:
            check_plain_function("on_charged", on_charged)
        self._on_refused = on_refused
        self._on_unsent = on_unsent
        self._on_charged = on_charged

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """Tell of these outcomes.

        Raises:
            BaseException: KeyboardInterrupt, SystemExit and the like, the last of them, once all were told.
        """
        stopped: BaseException | None = None
        for outcome in outcomes:
            try:
                self._tell(outcome)
            except BaseException as error:
                log.exception("a callback of the usage meter failed: %s", type(outcome).__name__)
                if not isinstance(error, Exception):
                    stopped = error
        if stopped is not None:
            raise stopped

    def _tell(self, outcome: Outcome) -> None:
        match outcome:
            case Charged():
                if self._on_charged is not None:
                    self._on_charged(outcome.usage, outcome.transaction)
            case NotCharged():
                self._on_refused(outcome.usage, outcome.error)
            case Unsent():
                self._on_unsent(outcome)
