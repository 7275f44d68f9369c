"""Waiting that a signal handler may interrupt at any place, and that may itself be done in one."""

import threading
import time
from collections.abc import Callable

PART_S = 0.5
"""A signal that comes as a wait begins is not heard before the wait is over, so it is done in parts."""


class Changes:
    """What a Condition is for, without its faults in the thread that hears signals.

    Where an exception of a signal handler ends a wait, the lock of a Condition may stay released, and the ``with``
    around it fails; here nobody waits with the lock taken. A handler that came while this thread held it may wait too:
    it gives it up meanwhile, at any depth.
    """

    def __init__(self, lock: "threading.RLock") -> None:
        self._lock = lock
        self._waiters: list[threading.Lock] = []

    def waiter(self) -> "threading.Lock":
        """A lock that can be acquired each time when something has changed since it was."""
        waiter = threading.Lock()
        waiter.acquire()
        self._waiters.append(waiter)
        return waiter

    def forget(self, waiter: "threading.Lock") -> None:
        """It waits no more."""
        self._waiters.remove(waiter)

    def notify_all(self) -> None:
        """Whoever waits looks again."""
        for waiter in self._waiters.copy():
            try:
                waiter.release()
            except RuntimeError:  # it was told already
                continue

    def wait_for(self, ready: Callable[[], bool], longest_s: float | None) -> bool:
        """Wait until it is so, or for so long (None: for ever); whether it is. Asked with the lock taken."""
        waiter = threading.Lock()
        waiter.acquire()
        until_s = None if longest_s is None else time.monotonic() + longest_s
        depth = 0
        try:
            self._waiters.append(waiter)
            depth = self._given_up()
            while True:
                with self._lock:
                    if ready():
                        return True
                left_s = PART_S if until_s is None else until_s - time.monotonic()
                if left_s <= 0:
                    return False
                waiter.acquire(timeout=min(left_s, PART_S))
        finally:
            while depth:
                self._lock.acquire()
                depth -= 1
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _given_up(self) -> int:
        depth = 0
        while True:
            try:
                self._lock.release()
            except RuntimeError:  # it is not this thread's
                return depth
            depth += 1
