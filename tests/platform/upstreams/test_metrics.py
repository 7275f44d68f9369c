"""What ops see of the upstreams, and of Consul."""

import pytest
from prometheus_client import CollectorRegistry
from support.stand_in import StandIn
from support.upstreams import ListedInstances, ManualClock, account_client

from wallet_service.platform.upstreams.breaker import FAILURES, PAUSE_S
from wallet_service.platform.upstreams.metrics import UpstreamMetrics
from wallet_service.platform.upstreams.problems import UpstreamUnavailable

PATH = "/api/v1/accounts/ann"


async def test_questions_and_the_breaker(upstreams: StandIn, clock: ManualClock) -> None:
    registry = CollectorRegistry()
    instances = ListedInstances(upstreams.url)

    def count(outcome: str) -> float | None:
        labels = {"upstream": "account", "outcome": outcome}
        return registry.get_sample_value("wallet_upstream_calls_total", labels)

    def is_open() -> float | None:
        return registry.get_sample_value("wallet_upstream_breaker_open", {"upstream": "account"})

    async with account_client(instances, clock, metrics=UpstreamMetrics(registry)) as client:
        await client.ask("GET", PATH, lambda *_: None)
        assert (count("answered"), is_open()) == (1, 0)
        good, instances.urls = instances.urls, ["http://127.0.0.1:1"]
        for _ in range(FAILURES):
            with pytest.raises(UpstreamUnavailable):
                await client.ask("GET", PATH, lambda *_: None)
        assert is_open() == 1
        assert (count("unavailable") or 0) + (count("breaker_open") or 0) == FAILURES
        assert count("breaker_open")
        instances.urls = good
        clock.value += PAUSE_S
        await client.ask("GET", PATH, lambda *_: None)
        assert (count("answered"), is_open()) == (2, 0)
    took = registry.get_sample_value("wallet_upstream_call_duration_seconds_count", {"upstream": "account"})
    assert took == FAILURES + 2
