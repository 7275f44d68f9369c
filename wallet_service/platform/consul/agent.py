"""The Consul agent: the few calls that we make of it, each with a time limit and one kind of error."""

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
"""The longest blocking query: what stands between cuts idle connections after a minute, often."""

_STAGGER = 1 / 16
"""The part of the wait that Consul adds to it by chance."""
_LAST_PORT = 65_535

_log = structlog.get_logger(__name__)


class AgentError(Exception):
    """The agent was not reached, did not answer in time, refused, or answered what can't be read."""


@dataclass(frozen=True, slots=True)
class Instance:
    """This service as Consul is told of it.

    Attributes:
        address: None for the agent's own.
        check_url: what Consul asks; times are milliseconds.
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
    """An agent that answers within a time limit, or else with ``AgentError``."""

    def __init__(self, consul: Any, timeout_s: float) -> None:
        self._consul = consul
        self._timeout_s = timeout_s

    @classmethod
    async def open(cls, settings: ConsulSettings) -> Self:
        """The agent of ``settings.url``; nothing is sent yet.

        Raises:
            SettingsError: the file of certificates can't be used, or no address is set.
        """
        url = settings.url
        if url is None:
            raise SettingsError("WALLET_CONSUL_URL is not set")
        loop = asyncio.get_running_loop()

        def make() -> Any:
            # Not at the top: it imports requests, and a start without Consul need not wait for that.
            consul = import_module("consul.aio").Consul(
                url.host,
                url.port,
                scheme=url.scheme,
                # Said, or else CONSUL_HTTP_SSL_VERIFY decides.
                verify=str(settings.ca_file) if settings.ca_file else True,
                loop=loop,
            )
            # Not by the constructor: CONSUL_HTTP_TOKEN would go before it.
            consul.token = settings.token.get_secret_value() if settings.token else None
            return consul

        try:
            # It reads certificates, for 50 ms.
            return cls(await asyncio.to_thread(make), settings.timeout_ms / 1000)
        except OSError as error:
            raise SettingsError(f"WALLET_CONSUL_CA_FILE can't be used: {error}") from error

    async def knows(self, instance_id: str) -> bool:
        """Whether the instance is registered here."""
        services = await self._call(self._consul.agent.services(), self._timeout_s)
        if not isinstance(services, dict):
            raise AgentError("the agent's list of services is not one")
        return instance_id in services

    async def register(self, instance: Instance) -> None:
        """Make the instance known, with its check and nothing left of an earlier one."""
        check = import_module("consul").Check.http(
            instance.check_url,
            f"{instance.check_interval_ms}ms",
            timeout=f"{instance.check_timeout_ms}ms",
            deregister=f"{instance.deregister_after_ms}ms",
        )
        registering = self._consul.agent.service.register(
            instance.name,
            service_id=instance.id,
            address=instance.address,
            port=instance.port,
            tags=list(instance.tags),
            meta=dict(instance.meta),
            check=check,
            replace_existing_checks=True,
        )
        if not await self._call(registering, self._timeout_s):
            raise AgentError("the agent did not take the registration")

    async def deregister(self, instance_id: str) -> None:
        """Forget the instance, also when it is not known."""
        await self._call(self._consul.agent.service.deregister(instance_id), self._timeout_s)

    async def healthy(self, service: str, index: str | None) -> tuple[str | None, list[str]]:
        """The base URLs of the instances whose checks pass, and the index of this state.

        Args:
            service: the name in Consul.
            index: of the state known so far: waits up to ``WAIT_S`` for another one. None does not wait.
        """
        limit_s = self._timeout_s + (WAIT_S * (1 + _STAGGER) if index else 0)
        asking = self._consul.health.service(service, passing=True, index=index, wait=f"{WAIT_S}s")
        answered = await self._call(asking, limit_s)
        try:
            found, entries = answered
            return _following(index, found), _base_urls(service, entries)
        except (TypeError, ValueError) as error:
            raise AgentError(f"the agent's list of {service} can't be read") from error

    async def close(self) -> None:
        """Release the connections."""
        await self._consul.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(self, asking: Coroutine[Any, Any, Any], limit_s: float) -> Any:
        try:
            async with asyncio.timeout(limit_s):
                return await asking
        except TimeoutError as error:
            raise AgentError(f"no answer within {limit_s:g} s") from error
        except Exception as error:
            # What aiohttp, json and the library raise; not all of it is documented.
            raise AgentError(f"{type(error).__name__}: {error}"[:300]) from error


def _following(known: str | None, found: str) -> str | None:
    """The index to wait on next: none after it went back, as Consul's documentation asks for."""
    number = int(found)
    return None if number < 1 or (known is not None and number < int(known)) else found


def _base_urls(service: str, entries: Iterable[Any]) -> list[str]:
    """Those that can be used: one that somebody registered wrongly is not a reason to lose the others."""
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
    URL.build(scheme="http", host=address, port=port)  # refuses what is no host
    return base_url(address, port)


def base_url(address: str, port: int) -> str:
    """``http://address:port``, with the brackets that IPv6 needs."""
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"
