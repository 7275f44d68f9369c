"""This instance in Consul: there as long as it serves, and gone before it stops to."""

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
    """Tells the agent of this instance, again whenever the agent does not know it."""

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
        self._unanswered: Instance | None = None
        """Was sent to the agent, whose answer did not come: it can arrive later."""
        self._calling = asyncio.Lock()
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Call it once the port is open. From here on the instance is known, or it is tried.

        Raises:
            AgentError: the first try failed, and ``WALLET_CONSUL_REQUIRED`` is set.
        """
        if self._settings.required:
            await self._register()
        self._keeping = asyncio.create_task(self._keep())

    async def leave_and_wait(self) -> None:
        """Call it while the port is open: callers are told to go elsewhere, and get the time to."""
        if await self.leave():
            await asyncio.sleep(self._settings.leave_pause_ms / 1000)
            if self._unanswered is not None:
                await self._deregister(self._unanswered)  # once more, after what may have come in late

    async def leave(self) -> bool:
        """Take the instance out of Consul; whether it now is, and was not before.

        An agent that is away is not waited for: what it knew goes by its check.
        """
        if self._keeping is not None:
            # Not while a registration is under way: it could arrive after this.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.timeout_ms / 1000), self._calling:
                    pass
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None
        instance, self._instance = self._instance, None
        return instance is not None and await self._deregister(instance)

    async def _deregister(self, instance: Instance) -> bool:
        try:
            await self._agent.deregister(instance.id)
        except AgentError as error:
            _log.warning("consul_not_left", instance=instance.id, reason=str(error))
            return False
        _log.info("consul_left", instance=instance.id)
        return True

    async def _keep(self) -> None:
        outage = Outage("registration", self._settings.retry_max_ms, self._metrics)
        while True:
            await outage.outlast("registration", self._register)
            await asyncio.sleep(self._settings.sync_interval_ms / 1000)

    async def _register(self) -> None:
        async with self._calling:
            if self._instance is None:
                instance = await describe(self._all_settings, self._port, self._capabilities)
                if _is_out_of_reach(instance.address, self._settings):
                    _log.warning("consul_address_is_loopback", instance=instance.id, address=instance.address)
                self._instance = instance
            # Only what this process registered: an entry of the same id can be of one that crashed, of another release.
            if self._registered and await self._agent.knows(self._instance.id):
                return
            self._registered = False
            self._unanswered = self._instance
            await self._agent.register(self._instance)
            self._registered, self._unanswered = True, None
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
    """What takes this instance into Consul and out of it; None where Consul is not set.

    Args:
        settings: those of the service.
        port: the one that is listened on.
        capabilities: what the instance can do, for its ``meta``.
        metrics: shows whether Consul answers.

    Raises:
        SettingsError: what is set for Consul can't be used.
    """
    consul = settings[ConsulSettings]
    if consul.url is None:
        yield None
        return
    async with await Agent.open(consul) as agent:
        made = Registration(settings, agent, port, capabilities, metrics or ConsulMetrics())
        try:
            yield made
        finally:
            await made.leave()


async def describe(settings: Settings, port: int, capabilities: Sequence[str]) -> Instance:
    """This instance, under the address at which others reach it.

    Raises:
        AgentError: there is no way to the agent, by which the address is found.
    """
    own = settings[ConsulSettings]
    address, checked = await _addresses(settings[WebSettings].host, own)
    port = own.advertise_port or port
    return Instance(
        # The same after a crash, so that what comes back takes the place of what was.
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
    """The address for callers, None for the agent's own, and that for the agent's check."""
    if settings.advertise_address is not None:
        return settings.advertise_address, settings.advertise_address
    try:
        listens_on = ipaddress.ip_address(host)
    except ValueError:
        return host, host  # a name
    if not listens_on.is_unspecified:
        return host, host
    own = await _towards_agent(settings)
    return (None, own) if ipaddress.ip_address(own).is_loopback else (own, own)


def _is_out_of_reach(address: str | None, settings: ConsulSettings) -> bool:
    """Whether callers beside the agent, which is on another machine, would find themselves at this address."""
    return _is_loopback(address) and not _is_loopback(settings.url.host if settings.url else None)


def _is_loopback(host: str | None) -> bool:
    """As far as the text says: a name other than localhost can be anywhere."""
    try:
        return host == "localhost" or ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False


async def _towards_agent(settings: ConsulSettings) -> str:
    """The address that this machine has on the way to the agent; nothing is sent."""
    host, port = (settings.url.host, settings.url.port) if settings.url else (None, None)
    try:
        async with asyncio.timeout(settings.timeout_ms / 1000):
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=((host or "").strip("[]"), port or 0)
            )
    except OSError as error:  # a TimeoutError is one
        raise AgentError(f"there is no way to {host}: {error}") from error
    try:
        return transport.get_extra_info("sockname")[0]
    finally:
        transport.close()
