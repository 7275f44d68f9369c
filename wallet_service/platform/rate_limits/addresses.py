"""The address from which a request comes, by its connection and by the proxies that are trusted."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MOST_HOPS = 32
"""Addresses of X-Forwarded-For that are read, from the end. No chain of proxies is longer."""

_PREFIX = 64
"""Providers give a customer a whole /64 of IPv6 at least, so its addresses count as one."""


def address_of(scope: Scope, trusted: Sequence[Network]) -> str:
    """The name under which the requests of an address are counted: an IPv4 address, or the /64 of an IPv6 address.

    Args:
        scope: of the request.
        trusted: the networks of proxies whose X-Forwarded-For counts.
    """
    address = client_address(scope, trusted)
    if isinstance(address, str | IPv4Address):
        return str(address)
    return str(ip_network((int(address), _PREFIX), strict=False))


def client_address(scope: Scope, trusted: Sequence[Network]) -> Address | str:
    """The address from which a request comes; a text if the connection has none, as that of a Unix socket.

    It is the last address on the request's way that is not a trusted proxy's. Addresses before it in X-Forwarded-For
    could have been written by the caller. If all are proxies', it is the first of them.

    Args:
        scope: of the request.
        trusted: the networks of proxies whose X-Forwarded-For counts.
    """
    peer = scope.get("client")
    host = str(peer[0]) if peer else ""
    address = _parsed(host)
    if address is None:
        return host  # a Unix socket, or a server that does not know
    if trusted and _is_in(address, trusted):
        for hop in _hops(scope):
            before = _parsed(hop)
            if before is None:  # "unknown", or not an address: what was before it can't be known
                break
            address = before
            if not _is_in(address, trusted):
                break
    return address


def _hops(scope: Scope) -> Iterator[str]:
    """The entries of X-Forwarded-For from the last one back; each proxy adds the address that it saw."""
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    text = b",".join(values).decode("latin-1")
    for _ in range(MOST_HOPS):
        text, comma, hop = text.rpartition(",")
        yield hop.strip()
        if not comma:
            return


def _parsed(text: str) -> Address | None:
    """The address in an entry, which can have a port. One of IPv4 that is mapped into IPv6 is the one of IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
