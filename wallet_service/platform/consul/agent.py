"""Client of the Consul agent: each call has a time limit and one class of error."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import TracebackType
from typing import Any, Self

import structlog
from yarl import URL

from wallet_service.core.settings import SettingsError
from wallet_service.platform.consul.settings import ConsulSettings

WAIT_S = 55
"""The longest blocking query, in seconds: proxies often close connections that are idle for a minute."""

_STAGGER = 1 / 16
"""Consul adds a random time to the wait, up to this part of it."""
_LAST_PORT = 65_535

_log = structlog.get_logger(__name__)


class AgentError(Exception):
    """The agent was not reached, did not respond in time, refused, or its response can't be read."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A registration of this service. Times are milliseconds.

    Attributes:
        address: None for the address of the agent.
        check_url: the URL of the health check.
    """

    id: str
    name: str
    address: str | None
    port: int
    tags: Sequence[str]
    meta: Mapping[str, str]
    check_url: str
    check_interval_ms: int
    check_timeout_ms: int
    deregister_after_ms: int


class Agent:
    """An agent; a call without a response in time raises ``AgentError``."""

    def __init__(self, consul: Any, timeout_s: float) -> None:
        self._consul = consul
        self._timeout_s = timeout_s

    @classmethod
    async def open(cls, settings: ConsulSettings) -> Self:
        """The agent of ``settings.url``. Nothing is sent yet.

        Raises:
            SettingsError: the file of certificates can't be used, or no address is set.
        """
        url = settings.url
        if url is None:
            raise SettingsError("WALLET_CONSUL_URL is not set")
        loop = asyncio.get_running_loop()

        def create() -> Any:
            # Not at the top: it imports requests, and a start without Consul should not wait for that.
            consul = import_module("consul.aio").Consul(
                url.host,
                url.port,
                scheme=url.scheme,
                # Set, because otherwise CONSUL_HTTP_SSL_VERIFY decides.
                verify=str(settings.ca_file) if settings.ca_file else True,
                loop=loop,
            )
            # Not by the constructor, in which CONSUL_HTTP_TOKEN has precedence.
            consul.token = settings.token.get_secret_value() if settings.token else None
            return consul

        try:
            # In a thread, because it reads certificates for 50 ms.
            return cls(await asyncio.to_thread(create), settings.timeout_ms / 1000)
        except OSError as error:
            raise SettingsError(f"WALLET_CONSUL_CA_FILE can't be used: {error}") from error

    async def knows(self, instance_id: str) -> bool:
        """Whether the instance is registered with this agent."""
        services = await self._call(self._consul.agent.services(), self._timeout_s)
        if not isinstance(services, dict):
            raise AgentError("the agent's list of services can't be read")
        return instance_id in services

    async def register(self, instance: Instance) -> None:
        """Register the instance with its check, instead of an earlier registration with this id."""
        check = import_module("consul").Check.http(
            instance.check_url,
            f"{instance.check_interval_ms}ms",
            timeout=f"{instance.check_timeout_ms}ms",
            deregister=f"{instance.deregister_after_ms}ms",
        )
        call = self._consul.agent.service.register(
            instance.name,
            service_id=instance.id,
            address=instance.address,
            port=instance.port,
            tags=list(instance.tags),
            meta=dict(instance.meta),
            check=check,
            replace_existing_checks=True,
        )
        if not await self._call(call, self._timeout_s):
            raise AgentError("the agent refused the registration")

    async def deregister(self, instance_id: str) -> None:
        """Remove the registration, if there is one."""
        await self._call(self._consul.agent.service.deregister(instance_id), self._timeout_s)

    async def healthy(self, service: str, index: str | None) -> tuple[str | None, list[str]]:
        """The base URLs of the instances whose checks pass, and the index of this state.

        Args:
            service: the name in Consul.
            index: of the last known state: the call waits up to ``WAIT_S`` for a newer one. None does not wait.
        """
        limit_s = self._timeout_s + (WAIT_S * (1 + _STAGGER) if index else 0)
        call = self._consul.health.service(service, passing=True, index=index, wait=f"{WAIT_S}s")
        result = await self._call(call, limit_s)
        try:
            found, entries = result
            return _following(index, found), _base_urls(service, entries)
        except (TypeError, ValueError) as error:
            raise AgentError(f"the agent's list of {service} can't be read") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._consul.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(self, call: Coroutine[Any, Any, Any], limit_s: float) -> Any:
        try:
            async with asyncio.timeout(limit_s):
                return await call
        except TimeoutError as error:
            raise AgentError(f"no response within {limit_s:g} s") from error
        except Exception as error:
            # Errors of aiohttp, json and the library, not all of them documented.
            raise AgentError(f"{type(error).__name__}: {error}"[:300]) from error


def _following(known: str | None, found: str) -> str | None:
    """The index of the next query: None after it decreased, as Consul's documentation requires."""
    number = int(found)
    return None if number < 1 or (known is not None and number < int(known)) else found


def _base_urls(service: str, entries: Iterable[Any]) -> list[str]:
    """The URLs of usable entries: a wrong registration of one instance must not hide the others."""
    urls: list[str] = []
    for entry in entries:
        try:
            urls.append(_base_url(entry))
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            _log.warning(
                "consul_entry_unusable", service=service, reason=f"{type(error).__name__}: {error}"[:300]
            )
    return urls


def _base_url(entry: Any) -> str:
    address = str(entry["Service"]["Address"] or entry["Node"]["Address"])
    port = int(entry["Service"]["Port"])
    if not 1 <= port <= _LAST_PORT:
        raise ValueError(f"{address} has the port {port}")
    URL.build(scheme="http", host=address, port=port)  # raises if the address is not a host
    return base_url(address, port)


def base_url(address: str, port: int) -> str:
    """``http://address:port``, with brackets around an IPv6 address."""
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"
