"""Looks up the addresses of names, each in a thread of its own.

A look-up by the operating system can take half a minute, and can't be stopped. In the event loop's few threads, those
that hang would hold up all others of the process, and its end.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

Address = IPv4Address | IPv6Address

LONGEST_S: Final = 5.0
"""How long a look-up is waited for."""

MOST_AT_ONCE: Final = 500
"""Look-ups under way, those included whose callers have stopped waiting. Each is of another name."""


class LookupFailed(Exception):
    """The name has no address, or none was found in time. The message says which."""


class Lookups:
    """The look-ups of a process. Of one name there is one at a time, whose result all get that wait for it.

    Args:
        longest_s: how long a look-up is waited for.
    """

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self._longest_s = longest_s
        self._running: dict[str, asyncio.Future[Sequence[Address]]] = {}

    async def addresses(self, host: str) -> Sequence[Address]:
        """The addresses of a name now.

        Raises:
            LookupFailed: it has none, or none was found in time.
        """
        found = self._running.get(host)
        if found is None:
            if len(self._running) >= MOST_AT_ONCE:
                raise LookupFailed("too many names are being looked up")
            found = self._running[host] = self._begin(host)
        try:
            async with asyncio.timeout(self._longest_s):
                addresses = await asyncio.shield(found)
        except TimeoutError:
            raise LookupFailed(f"the host's address was not found within {self._longest_s:g} s") from None
        if not addresses:
            raise LookupFailed("the host does not resolve to an address")
        return addresses

    def _begin(self, host: str) -> asyncio.Future[Sequence[Address]]:
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Sequence[Address]] = loop.create_future()

        def end(addresses: Sequence[Address]) -> None:
            del self._running[host]
            found.set_result(addresses)

        def run() -> None:
            addresses = _look_up(host)
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(end, addresses)

        threading.Thread(target=run, name="webhook-look-up", daemon=True).start()
        return found


def _look_up(host: str) -> Sequence[Address]:
    """The addresses of a name; none if it does not resolve."""
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        return ()
    return list(dict.fromkeys(ip_address(str(info[4][0]).partition("%")[0]) for info in infos))
