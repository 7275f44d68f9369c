"""The caller's functions that hear what became of each event."""

import logging
import threading
from collections import deque
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

    What was taken down stays here until somebody tells it: who is interrupted, or slow, leaves the rest to others.

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
        self._untold: deque[Outcome] = deque()
        self._telling: set[int] = set()  # threads

    def take_down(self, outcomes: Iterable[Outcome]) -> None:
        """These are to be told."""
        self._untold.extend(outcomes)

    def tell(self) -> None:
        """Tell all that was taken down and not told by another thread; a callback that asks for it is told later.

        Raises:
            BaseException: KeyboardInterrupt, SystemExit and the like, the last of them, once all were told.
        """
        caller = threading.get_ident()
        if caller in self._telling:
            return
        try:
            self._telling.add(caller)
            self._tell_all()
        finally:
            self._telling.discard(caller)

    def _tell_all(self) -> None:
        stopped: BaseException | None = None
        while True:
            try:
                outcome = self._untold.popleft()
            except IndexError:
                break
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
