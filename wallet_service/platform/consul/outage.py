"""What is tried until it works: with growing pauses, and one line in the log when it fails and one when it is back."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from wallet_service.platform.consul.agent import AgentError
from wallet_service.platform.consul.metrics import ConsulMetrics

_SHORTEST_S = 0.2
_GROWTH_S = 0.5

_log = structlog.get_logger(__name__)

T = TypeVar("T")


class Outage:
    """Consul is away for one purpose, which may be pursued by several tasks: they share its two lines."""

    def __init__(self, purpose: str, longest_pause_ms: int, metrics: ConsulMetrics) -> None:
        self._purpose = purpose
        self._metrics = metrics
        metrics.report(purpose, is_unavailable=False)
        self._wait = wait_random_exponential(
            multiplier=_GROWTH_S, max=max(_SHORTEST_S, longest_pause_ms / 1000), min=_SHORTEST_S
        )
        self._failing: set[str] = set()

    async def outlast(self, who: str, call: Callable[[], Awaitable[T]]) -> T:
        """What the call gives once it works; it is called again after each ``AgentError``.

        Args:
            who: the task, among those of this purpose.
            call: asks the agent.
        """

        def lost(state: RetryCallState) -> None:
            self._lost(who, state.outcome.exception() if state.outcome else None)

        trying = AsyncRetrying(retry=retry_if_exception_type(AgentError), wait=self._wait, before_sleep=lost)
        async for attempt in trying:
            with attempt:
                result = await call()
                self._over(who)
                return result
        raise AssertionError("it is tried without end")  # pragma: no cover

    def _lost(self, who: str, error: BaseException | None) -> None:
        if not self._failing:
            _log.warning("consul_unavailable", purpose=self._purpose, reason=str(error))
            self._metrics.report(self._purpose, is_unavailable=True)
        self._failing.add(who)

    def _over(self, who: str) -> None:
        if who in self._failing:
            self._failing.remove(who)
            if not self._failing:
                _log.info("consul_back", purpose=self._purpose)
                self._metrics.report(self._purpose, is_unavailable=False)
