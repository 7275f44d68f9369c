"""Discovery by lists in memory, which Consul keeps current, and by configured URLs."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
from pydantic import HttpUrl

from wallet_service.core.settings import Settings
from wallet_service.platform.consul.agent import Agent
from wallet_service.platform.consul.metrics import ConsulMetrics
from wallet_service.platform.consul.outage import Outage
from wallet_service.platform.consul.settings import ConsulSettings
from wallet_service.platform.database.settings import DatabaseSettings
from wallet_service.platform.upstreams.discovery import ACCOUNT, AUTH, ORGANIZATION, PAYMENT, NoInstance
from wallet_service.platform.upstreams.instances import Instances
from wallet_service.platform.upstreams.settings import UpstreamSettings

FIRST_LISTS_S = 1.0
"""How long the start waits for the first lists, in seconds."""

_BETWEEN_QUERIES_S = 0.1
"""The shortest time between two queries, for an agent that responds without waiting."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Upstream:
    """How a service is found: by its name in Consul, its setting, its port on a developer's machine.

    Attributes:
        is_called: whether this service calls it; if not, its list in Consul is not followed.
    """

    consul_name: str
    configured: Callable[[UpstreamSettings], HttpUrl | None]
    local_port: int
    is_called: bool = True


UPSTREAMS: Mapping[str, Upstream] = {
    ACCOUNT: Upstream("account_service", lambda settings: settings.account_url, 8202),
    ORGANIZATION: Upstream("organization_service", lambda settings: settings.organization_url, 8210),
    PAYMENT: Upstream("payment_service", lambda settings: settings.payment_url, 8207),
    # User tokens are checked with its keys, which are read from WALLET_JWT_JWKS_URL.
    AUTH: Upstream("auth_service", lambda settings: settings.auth_url, 8201, is_called=False),
}


def only(*services: str) -> Mapping[str, Upstream]:
    """These services, for a room that calls no others: only their lists are followed."""
    return {service: UPSTREAMS[service] for service in services}


class Upstreams:
    """The instances of every upstream service; a ``Discovery``."""

    def __init__(
        self,
        settings: Settings,
        table: Mapping[str, Upstream] = UPSTREAMS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        own = settings[UpstreamSettings]
        is_development = settings[DatabaseSettings].is_development
        self._services = {
            service: Instances(
                _without_slash(upstream.configured(own)),
                f"http://127.0.0.1:{upstream.local_port}" if is_development else None,
                own.upstream_set_aside_ms / 1000,
                clock,
            )
            for service, upstream in table.items()
        }

    def instance(self, service: str) -> str:
        """See ``Discovery``."""
        url = self._services[service].pick()
        if url is None:
            raise NoInstance(service)
        return url

    def failed(self, service: str, url: str) -> None:
        """See ``Discovery``."""
        self._services[service].failed(url)

    def found(self, service: str, urls: Iterable[str]) -> None:
        """Take Consul's list of healthy instances."""
        self._services[service].found(urls)

    def known(self, service: str) -> int:
        """The number of instances in Consul's last list."""
        return self._services[service].known


def _without_slash(url: HttpUrl | None) -> str | None:
    return str(url).rstrip("/") if url is not None else None


class _Watch:
    """Keeps the list of instances of one service current."""

    def __init__(self, service: str, name: str, agent: Agent, upstreams: Upstreams) -> None:
        self._service = service
        self._name = name
        self._agent = agent
        self._upstreams = upstreams
        self._index: str | None = None
        self._healthy: bool | None = None
        self.has_result = asyncio.Event()

    async def run(self, outage: Outage) -> None:
        while True:
            pause = asyncio.create_task(asyncio.sleep(_BETWEEN_QUERIES_S))
            try:
                urls = await outage.retry(self._service, self._query)
                self._update(urls)
                await pause
            finally:
                pause.cancel()

    async def _query(self) -> list[str]:
        # Without an index until there is a response: a restarted agent counts from 1, and would wait for an old index.
        index, self._index = self._index, None
        try:
            self._index, urls = await self._agent.healthy(self._name, index)
        finally:
            self.has_result.set()
        return urls

    def _update(self, urls: list[str]) -> None:
        self._upstreams.found(self._service, urls)
        healthy = bool(urls)
        if healthy is self._healthy:
            return
        if healthy:
            _log.info("upstream_instances_found", service=self._name, instances=len(urls))
        else:
            _log.warning(
                "upstream_no_healthy_instance", service=self._name, kept=self._upstreams.known(self._service)
            )
        self._healthy = healthy


@asynccontextmanager
async def upstream_discovery(
    settings: Settings, table: Mapping[str, Upstream] = UPSTREAMS, metrics: ConsulMetrics | None = None
) -> AsyncGenerator[Upstreams, None]:
    """The discovery of the settings. While this is open, Consul's lists of called services are followed.

    Raises:
        SettingsError: the settings for Consul can't be used.
    """
    upstreams = Upstreams(settings, table)
    consul = settings[ConsulSettings]
    if consul.url is None:
        yield upstreams
        return
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(await Agent.open(consul))
        outage = Outage("discovery", consul.retry_max_ms, metrics or ConsulMetrics())
        watches = [
            _Watch(service, upstream.consul_name, agent, upstreams)
            for service, upstream in table.items()
            if upstream.is_called
        ]
        tasks = [asyncio.create_task(watch.run(outage)) for watch in watches]
        for task in tasks:
            task.add_done_callback(_ended)
        stack.push_async_callback(_cancel, tasks)
        first = [asyncio.create_task(watch.has_result.wait()) for watch in watches]
        _, late = await asyncio.wait(first, timeout=FIRST_LISTS_S)
        await _cancel(late)
        yield upstreams


def _ended(task: asyncio.Task[None]) -> None:
    """Log a task that ended before the stop: that is a fault, and the list is not updated any more."""
    if not task.cancelled():
        _log.error("discovery_ended", exc_info=task.exception())


async def _cancel(tasks: Iterable[asyncio.Task[object]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
