"""How a call is repeated after a temporary failure: one policy object for the whole service."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    stop_any,
    stop_before_delay,
    stop_never,
    wait_chain,
    wait_none,
    wait_random_exponential,
)

if TYPE_CHECKING:
    from tenacity.stop import StopBaseT

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Which failures are temporary, how long the pauses are, and when the last failure is raised.

    Pauses are random, so that many callers do not return at the same time: from ``shortest_pause_s`` to a limit
    that doubles with each attempt. Without ``attempts``, ``duration_s`` and ``deadline_s`` a call is repeated
    until it succeeds.

    Attributes:
        is_temporary: whether another attempt may succeed after this error.
        pause_s: the limit of the first random pause, in seconds.
        longest_pause_s: the limit of every pause.
        shortest_pause_s: no random pause is shorter.
        first_at_once: the second attempt follows without a pause, for connections that the other side may have
            closed while they were unused; ``pause_s`` is then the limit of the pause before the third.
        attempts: at most so many, the first included.
        duration_s: no pause begins later than this after the first failure. The first attempt does not count: it
            may have waited for its own timeout.
        deadline_s: no attempt begins later than this after the start of the first one.
    """

    is_temporary: Callable[[Exception], bool]
    pause_s: float
    longest_pause_s: float
    shortest_pause_s: float = 0.0
    first_at_once: bool = False
    attempts: int | None = None
    duration_s: float | None = None
    deadline_s: float | None = None

    async def run(
        self,
        call: Callable[[], Awaitable[_Result]],
        *,
        before_pause: Callable[[Exception], None] | None = None,
    ) -> _Result:
        """Call, and repeat the call after temporary failures. Only for calls that are safe to repeat.

        Args:
            call: one attempt.
            before_pause: receives each failure that is followed by another attempt.

        Raises:
            Exception: the failure of the last attempt, or the first one that is not temporary.
        """
        started = 0.0 if self.deadline_s is None else time.monotonic()
        try:
            return await call()  # without tenacity, which costs 55 µs
        except Exception as error:
            if not self.is_temporary(error):
                raise
            failure = error
        if self.deadline_s is None:
            started = time.monotonic()
        # Outside of the except block: the errors of later attempts get no context.
        async for attempt in self._attempts(before_pause):
            with attempt:
                if attempt.retry_state.attempt_number == 1:  # it has been made above
                    attempt.retry_state.start_time = started
                    raise failure
                return await call()
        raise AssertionError("tenacity raises the last error")  # pragma: no cover

    def _attempts(self, before_pause: Callable[[Exception], None] | None) -> AsyncRetrying:
        pauses = wait_random_exponential(
            # tenacity doubles the limit for the empty pause too.
            multiplier=self.pause_s / 2 if self.first_at_once else self.pause_s,
            max=self.longest_pause_s,
            min=self.shortest_pause_s,
        )
        stop: StopBaseT = stop_never
        if self.attempts is not None:
            stop = stop_any(stop, stop_after_attempt(self.attempts))
        if self.duration_s is not None:
            stop = stop_any(stop, stop_after_delay(self.duration_s))
        if self.deadline_s is not None:
            stop = stop_any(stop, stop_before_delay(self.deadline_s))

        def report(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome is not None else None
            if before_pause is not None and isinstance(error, Exception):
                before_pause(error)

        return AsyncRetrying(
            # A cancellation is no failure, and never repeated.
            retry=retry_if_exception(lambda error: isinstance(error, Exception) and self.is_temporary(error)),
            stop=stop,
            wait=wait_chain(wait_none(), pauses) if self.first_at_once else pauses,
            before_sleep=report,
            reraise=True,
        )
