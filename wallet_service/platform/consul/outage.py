"""Calls to Consul that are repeated until they succeed; an outage has one log line at its start and one at its end."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from wallet_service.core.retries import RetryPolicy
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
        self._retries = RetryPolicy(
            is_temporary=lambda error: isinstance(error, AgentError),
            pause_s=_GROWTH_S,
            longest_pause_s=max(_SHORTEST_S, longest_pause_ms / 1000),
            shortest_pause_s=_SHORTEST_S,
        )
        self._failing: set[str] = set()

    async def retry(self, task: str, call: Callable[[], Awaitable[T]]) -> T:
        """The result of the call, which is repeated after each ``AgentError``.

        Args:
            task: its name, unique within the purpose.
            call: a request to the agent.
        """
        result = await self._retries.run(call, before_pause=lambda error: self._failed(task, error))
        self._succeeded(task)
        return result

    def _failed(self, task: str, error: Exception) -> None:
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
