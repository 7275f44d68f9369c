"""The caller's functions that hear what became of each event."""

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from wallet_client._options import check_plain_function
from wallet_client.errors import ServiceError
from wallet_client.meter.usage import Charged, NotCharged, Outcome, Unsent, Usage
from wallet_client.models import Transaction

OnCharged: TypeAlias = Callable[[Usage, Transaction], None]
OnRefused: TypeAlias = Callable[[Usage, ServiceError], None]
OnUnsent: TypeAlias = Callable[[Unsent], None]

log = logging.getLogger("wallet_client")


class Teller:
    """Calls them, one event after the other. One that raises is logged, and the others are told all the same.

    What nobody told yet stays where it is: who is interrupted, or slow, leaves the rest to others.

    Args:
        untold: what is to be told, by number; what was told is taken out.

    Raises:
        TypeError: a coroutine function, which nobody would await.
    """

    def __init__(
        self,
        untold: dict[int, Outcome],
        on_refused: OnRefused,
        on_unsent: OnUnsent,
        on_charged: OnCharged | None = None,
    ) -> None:
        for name, function in (("on_refused", on_refused), ("on_unsent", on_unsent)):
            check_plain_function(name, function)
        if on_charged is not None:
            check_plain_function("on_charged", on_charged)
        self._on_refused = on_refused
        self._on_unsent = on_unsent
        self._on_charged = on_charged
        self._untold = untold
        self._claims: dict[int, int] = {}  # of the outcomes, by which thread
        self._telling: set[int] = set()  # threads

    @property
    def is_caller(self) -> bool:
        """Whether who asks is a callback."""
        return threading.get_ident() in self._telling

    def tell(self) -> None:
        """Tell all that was not told, and is not just being told by another thread.

        Raises:
            BaseException: KeyboardInterrupt, SystemExit and the like, the last of them, once all were told.
        """
        caller = threading.get_ident()
        try:
            self._telling.add(caller)
            self._tell_all(caller)
        finally:
            self._telling.discard(caller)

    def _tell_all(self, caller: int) -> None:
        stopped: BaseException | None = None
        left = self._untold.copy()
        while left:
            some = False
            for number, outcome in left.items():
                if self._claims.setdefault(number, caller) != caller:
                    continue
                if number not in self._untold:  # told since it was copied
                    self._claims.pop(number, None)
                    continue
                some, call = True, self._call(outcome)
                try:  # no signal is heard from here to the callback, nor from its end to the finally
                    call()
                except BaseException as error:
                    log.exception("a callback of the usage meter failed: %s", type(outcome).__name__)
                    if not isinstance(error, Exception):
                        stopped = error
                finally:
                    self._untold.pop(number, None)
                    self._claims.pop(number, None)
            left = self._untold.copy() if some else {}
        if stopped is not None:
            raise stopped

    def _call(self, outcome: Outcome) -> Callable[[], None]:
        match outcome:
            case Charged():
                if self._on_charged is None:
                    return _nothing
                return partial(self._on_charged, outcome.usage, outcome.transaction)
            case NotCharged():
                return partial(self._on_refused, outcome.usage, outcome.error)
            case Unsent():
                return partial(self._on_unsent, outcome)


def _nothing() -> None:
    """For those who do not ask."""
