"""What a child process replaces after ``os.fork()``: locks that a thread of the parent may hold, and connections."""

import os
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

_RENEWALS: WeakKeyDictionary[Any, Callable[[Any], None]] = WeakKeyDictionary()


def renew_after_fork(made: T, renew: Callable[[T], None]) -> None:
    """Call ``renew(made)`` in every child process, before ``os.fork()`` returns there, as long as ``made`` exists."""
    _RENEWALS[made] = renew


def _renew_all() -> None:
    for made, renew in list(_RENEWALS.items()):
        renew(made)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_renew_all)
