"""What operators see of the way to Consul."""

import asyncio

from prometheus_client import CollectorRegistry

from wallet_service.platform.consul.agent import AgentError
from wallet_service.platform.consul.metrics import ConsulMetrics
from wallet_service.platform.consul.outage import Outage


async def test_consul_that_goes_and_comes_back() -> None:
    registry = CollectorRegistry()
    outage = Outage("discovery", 1, ConsulMetrics(registry))
    seen: list[float | None] = []

    async def call() -> None:
        seen.append(registry.get_sample_value("wallet_consul_unavailable", {"purpose": "discovery"}))
        if len(seen) == 1:
            raise AgentError("gone")

    async with asyncio.timeout(10):
        await outage.retry("a task", call)
    assert seen == [0, 1]
    assert registry.get_sample_value("wallet_consul_unavailable", {"purpose": "discovery"}) == 0
