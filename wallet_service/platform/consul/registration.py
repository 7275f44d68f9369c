"""Registration of this instance in Consul: registered while it serves, deregistered before it stops."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import structlog

from wallet_service import __version__
from wallet_service.core.settings import Settings
from wallet_service.platform.consul.agent import Agent, AgentError, Instance, base_url
from wallet_service.platform.consul.metrics import ConsulMetrics
from wallet_service.platform.consul.outage import Outage
from wallet_service.platform.consul.settings import ConsulSettings
from wallet_service.platform.web.settings import WebSettings

_log = structlog.get_logger(__name__)


class Registration:
    """Registers this instance with the agent, and again whenever the agent does not know it."""

    def __init__(
        self,
        settings: Settings,
        agent: Agent,
        port: int,
        capabilities: Sequence[str],
        metrics: ConsulMetrics,
    ) -> None:
        self._all_settings = settings
        self._settings = settings[ConsulSettings]
        self._metrics = metrics
        self._agent = agent
        self._port = port
        self._capabilities = capabilities
        self._instance: Instance | None = None
        self._registered = False
        self._unconfirmed: Instance | None = None
        """Sent to the agent without a response: the registration can take effect later."""
        self._call_lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Register, and stay registered. Call it when the port is open.

        Raises:
            AgentError: the first attempt failed, and ``WALLET_CONSUL_REQUIRED`` is set.
        """
        if self._settings.required:
            await self._register()
        self._task = asyncio.create_task(self._stay_registered())

    async def leave_and_wait(self) -> None:
        """Deregister, and wait until callers have noticed. Call it while the port is open."""
        if await self.leave():
            await asyncio.sleep(self._settings.leave_pause_ms / 1000)
            if self._unconfirmed is not None:
                await self._deregister(self._unconfirmed)  # again: a late registration may have taken effect

    async def leave(self) -> bool:
        """Deregister the instance; whether this call did it.

        If the agent is unavailable, this does not wait: the failing check removes the instance.
        """
        if self._task is not None:
            # Not while a registration is under way: it could take effect after this.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.timeout_ms / 1000), self._call_lock:
                    pass
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        instance, self._instance = self._instance, None
        return instance is not None and await self._deregister(instance)

    async def _deregister(self, instance: Instance) -> bool:
        try:
            await self._agent.deregister(instance.id)
        except AgentError as error:
            _log.warning("consul_deregistration_failed", instance=instance.id, reason=str(error))
            return False
        _log.info("consul_deregistered", instance=instance.id)
        return True

    async def _stay_registered(self) -> None:
        outage = Outage("registration", self._settings.retry_max_ms, self._metrics)
        while True:
            await outage.retry("registration", self._register)
            await asyncio.sleep(self._settings.sync_interval_ms / 1000)

    async def _register(self) -> None:
        async with self._call_lock:
            if self._instance is None:
                instance = await describe(self._all_settings, self._port, self._capabilities)
                if _is_unreachable(instance.address, self._settings):
                    _log.warning("consul_address_is_loopback", instance=instance.id, address=instance.address)
                self._instance = instance
            # Check only after a registration of this process: an entry with this id can be of a crashed process.
            if self._registered and await self._agent.knows(self._instance.id):
                return
            self._registered = False
            self._unconfirmed = self._instance
            await self._agent.register(self._instance)
            self._registered, self._unconfirmed = True, None
            _log.info(
                "consul_registered",
                instance=self._instance.id,
                address=self._instance.address,
                port=self._instance.port,
            )


@asynccontextmanager
async def registration(
    settings: Settings, port: int, capabilities: Sequence[str], metrics: ConsulMetrics | None = None
) -> AsyncGenerator[Registration | None, None]:
    """The registration of this instance; None if WALLET_CONSUL_URL is not set. Deregisters at the end.

    Args:
        settings: of all rooms.
        port: the port that the instance listens on.
        capabilities: what the instance can do, for its ``meta``.
        metrics: record whether Consul responds.

    Raises:
        SettingsError: the settings for Consul can't be used.
    """
    consul = settings[ConsulSettings]
    if consul.url is None:
        yield None
        return
    async with await Agent.open(consul) as agent:
        created = Registration(settings, agent, port, capabilities, metrics or ConsulMetrics())
        try:
            yield created
        finally:
            await created.leave()


async def describe(settings: Settings, port: int, capabilities: Sequence[str]) -> Instance:
    """This instance, with the address at which callers reach it.

    Raises:
        AgentError: the agent's host can't be resolved or routed to, so the address is unknown.
    """
    own = settings[ConsulSettings]
    address, checked = await _addresses(settings[WebSettings].host, own)
    port = own.advertise_port or port
    return Instance(
        # The same after a crash, so that the restarted instance replaces its old entry.
        id=f"{own.service_name}-{address or socket.gethostname()}-{port}",
        name=own.service_name,
        address=address,
        port=port,
        tags=[tag.strip() for tag in own.tags.split(",") if tag.strip()],
        meta={"version": __version__, "capabilities": ",".join(capabilities)},
        check_url=f"{base_url(checked, port)}/health/ready",
        check_interval_ms=own.check_interval_ms,
        check_timeout_ms=own.check_timeout_ms,
        deregister_after_ms=own.deregister_after_ms,
    )


async def _addresses(host: str, settings: ConsulSettings) -> tuple[str | None, str]:
    """The address for callers (None for that of the agent), and the address for the agent's check."""
    if settings.advertise_address is not None:
        return settings.advertise_address, settings.advertise_address
    try:
        listens_on = ipaddress.ip_address(host)
    except ValueError:
        return host, host  # a name
    if not listens_on.is_unspecified:
        return host, host
    own = await _local_address(settings)
    return (None, own) if ipaddress.ip_address(own).is_loopback else (own, own)


def _is_unreachable(address: str | None, settings: ConsulSettings) -> bool:
    """Whether the address is a loopback address although the agent is on another machine."""
    return _is_loopback(address) and not _is_loopback(settings.url.host if settings.url else None)


def _is_loopback(host: str | None) -> bool:
    """Whether the host is localhost or a loopback address; other names are not resolved."""
    try:
        return host == "localhost" or ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False


async def _local_address(settings: ConsulSettings) -> str:
    """The address of this machine on the route to the agent. Nothing is sent."""
    host, port = (settings.url.host, settings.url.port) if settings.url else (None, None)
    try:
        async with asyncio.timeout(settings.timeout_ms / 1000):
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=((host or "").strip("[]"), port or 0)
            )
    except OSError as error:  # a TimeoutError is one
        raise AgentError(f"there is no route to {host}: {error}") from error
    try:
        return transport.get_extra_info("sockname")[0]
    finally:
        transport.close()
