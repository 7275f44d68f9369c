"""Calls to Consul that are repeated until they succeed; an outage has one log line at its start and one at its end."""

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
    """Outages of Consul for one purpose; tasks with the same purpose share the two log lines."""

    def __init__(self, purpose: str, longest_pause_ms: int, metrics: ConsulMetrics) -> None:
        self._purpose = purpose
        self._metrics = metrics
        metrics.report(purpose, is_unavailable=False)
        self._wait = wait_random_exponential(
            multiplier=_GROWTH_S, max=max(_SHORTEST_S, longest_pause_ms / 1000), min=_SHORTEST_S
        )
        self._failing: set[str] = set()

    async def retry(self, task: str, call: Callable[[], Awaitable[T]]) -> T:
        """The result of the call, which is repeated after each ``AgentError``.

        Args:
            task: its name, unique within the purpose.
            call: a request to the agent.
        """

        def failed(state: RetryCallState) -> None:
            self._failed(task, state.outcome.exception() if state.outcome else None)

        attempts = AsyncRetrying(
            retry=retry_if_exception_type(AgentError), wait=self._wait, before_sleep=failed
        )
        async for attempt in attempts:
            with attempt:
                result = await call()
                self._succeeded(task)
                return result
        raise AssertionError("it retries without end")  # pragma: no cover

    def _failed(self, task: str, error: BaseException | None) -> None:
        if not self._failing:
            _log.warning("consul_unavailable", purpose=self._purpose, reason=str(error))
            self._metrics.report(self._purpose, is_unavailable=True)
        self._failing.add(task)

    def _succeeded(self, task: str) -> None:
        if task in self._failing:
            self._failing.remove(task)
            if not self._failing:
                _log.info("consul_available_again", purpose=self._purpose)
                self._metrics.report(self._purpose, is_unavailable=False)
