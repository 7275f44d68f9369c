"""Which addresses a webhook may reach: those of the internet, and those that the operator allows.

A name can resolve to another address at each look. So the check is made where the connection is opened, of the address
to which it is opened, and the connection goes there.
"""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from wallet_service.delivery.webhooks.lookups import Address, LookupFailed, Lookups

Network = IPv4Network | IPv6Network

LONGEST_URL: Final = 2048

_GLOBAL_UNICAST: Final = ip_network("2000::/3")
"""All of IPv6 that is assigned to the internet. The rest is not reached, also where Python takes it for public."""

_NEVER: Final = (
    ip_network("168.63.129.16/32"),  # Azure's services for a virtual machine, on an address that looks public
    ip_network("192.0.0.0/24"),  # services of providers, such as Oracle's metadata
    ip_network(
        "192.88.99.0/24"
    ),  # relays of 6to4, which lead anywhere; so do 2002::/16, and Teredo in 2001::/23
    ip_network("2002::/16"),
    ip_network("2001::/23"),  # protocols of their own: Teredo, benchmarks, ORCHID
    ip_network("2001:db8::/32"),  # documentation, and the next one
    ip_network("3fff::/20"),
)
_NAT64: Final = ip_network("64:ff9b::/96")
"""Addresses that end in an IPv4 address, which is reached in the end. The networks of some providers have no others."""


class DestinationRefused(OSError):
    """A webhook may not go there. The message has the reason, without addresses of the operator's network."""


class HostUnknown(DestinationRefused):
    """The name does not resolve to an address now."""


class Destinations:
    """The rule, and a resolver that keeps it.

    Args:
        allowed: networks that may be reached besides the internet, over plain HTTP too.
        internet: whether the internet may be reached; not without encryption.
        lookups: find the addresses of names.
    """

    def __init__(
        self, allowed: Sequence[Network] = (), *, internet: bool = True, lookups: Lookups | None = None
    ) -> None:
        self._allowed = tuple(allowed)
        self._internet = internet
        self._lookups = lookups or Lookups()

    def without_internet(self) -> "Destinations":
        """The rule for connections over plain HTTP: the allowed networks alone."""
        return Destinations(self._allowed, internet=False, lookups=self._lookups)

    def is_allowed(self, address: Address) -> bool:
        """Whether the operator allows this address."""
        return any(address.version == network.version and address in network for network in self._allowed)

    def may_reach(self, address: Address) -> bool:
        """Whether a connection may be opened to this address."""
        if self.is_allowed(address) or not self._internet:
            return self.is_allowed(address)
        if address.version == _NAT64.version and address in _NAT64:
            return _is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        return _is_public(address)

    async def check(self, url: str) -> None:
        """Check a URL when an endpoint is created or changed. Each delivery checks again.

        Raises:
            DestinationRefused: it is not an HTTPS URL of an address on the internet, or of an allowed network.
        """
        target = parse(url)
        host = target.host or ""
        addresses = await self.resolve(host)
        if target.scheme == "http" and not all(self.is_allowed(each) for each in addresses):
            raise DestinationRefused("the scheme must be https")

    async def resolve(self, host: str) -> list[Address]:
        """The addresses of a host to which a connection may be opened now.

        Raises:
            DestinationRefused: it has none.
        """
        if is_address(host):
            found: Sequence[Address] = [ip_address(host.partition("%")[0])]
        else:
            try:
                found = await self._lookups.addresses(host)
            except LookupFailed as failure:
                raise HostUnknown(str(failure)) from None
        allowed = [address for address in found if self.may_reach(address)]
        if not allowed:
            raise self._refusal()
        return allowed

    def socket(self, info: tuple[int, int, int, str, tuple[str | int, ...]]) -> socket.socket:
        """A socket for an address, for aiohttp's ``socket_factory``: the last gate before a connection.

        Raises:
            DestinationRefused: the address may not be reached.
        """
        family, kind, proto, _, address = info
        if not self.may_reach(ip_address(str(address[0]).partition("%")[0])):
            raise self._refusal()
        return socket.socket(family, kind, proto)

    def _refusal(self) -> DestinationRefused:
        if self._internet:
            return DestinationRefused("the host has no address on the internet")
        return DestinationRefused("the scheme must be https")


class CheckedResolver(AbstractResolver):
    """Resolves names to addresses that may be reached, for aiohttp."""

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses that may be reached.

        Raises:
            DestinationRefused: there is none.
        """
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,  # noqa: PLR2004 - IPv4
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self._destinations.resolve(host)
            if family in (socket.AF_UNSPEC, socket.AF_INET if address.version == 4 else socket.AF_INET6)  # noqa: PLR2004 - IPv4
        ]

    async def close(self) -> None:
        """Nothing is open."""


def parse(url: str) -> URL:
    """The parts of a webhook's URL.

    Raises:
        DestinationRefused: it is not an absolute HTTP or HTTPS URL, or has a user name, a password or a fragment.
    """
    if len(url) > LONGEST_URL or not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise DestinationRefused(f"a URL has at most {LONGEST_URL} printable ASCII characters and no spaces")
    try:
        target = URL(url, encoded=True)
        port = target.port
    except ValueError:
        raise DestinationRefused("this is not a URL") from None
    if target.scheme not in ("http", "https") or not target.host:
        raise DestinationRefused("the URL must begin with https:// and a host")
    if target.user is not None or target.password is not None:
        raise DestinationRefused("a URL with a user name or password would be shown: use the signature")
    if target.raw_fragment:
        raise DestinationRefused("a fragment is not sent: leave out what follows the #")
    if port is not None and not 0 < port <= 65_535:  # noqa: PLR2004 - the ports of TCP
        raise DestinationRefused("a port is 1 to 65535")
    return target


def is_address(host: str) -> bool:
    """Whether a URL's host is an IP address, not a name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_public(address: Address) -> bool:
    if any(address.version == network.version and address in network for network in _NEVER):
        return False
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    )
