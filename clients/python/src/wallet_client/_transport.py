"""Holds what a WalletClient sends to the time of its try as a whole; httpx bounds each wait, not their sum.

Apart, so that httpcore, which httpx sends with, is loaded when the first client is made.
"""

import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from wallet_client._deadline import left_s


class _Stream(httpcore.NetworkStream):
    """A connection of which no step goes beyond the deadline."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, left_s(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        connection: socket.socket = self._inner.get_extra_info("socket")
        left = memoryview(buffer)
        try:
            while left:  # as much as there is room for, each time
                connection.settimeout(left_s(timeout, httpcore.WriteTimeout))
                left = left[connection.send(left) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            time_s = left_s(timeout, httpcore.ConnectTimeout)
        except httpcore.ConnectTimeout:
            self.close()  # nobody else would
            raise
        within_tls = self._inner.get_extra_info("ssl_object") is not None
        made = self._inner.start_tls(ssl_context, server_hostname, time_s)
        # TLS within TLS (a proxy that is itself spoken to by TLS) is not written to its socket as it is.
        return made if within_tls else _Stream(made)

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Makes such connections."""

    def __init__(self, inner: httpcore.SyncBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """To the first of the host's addresses that answers; each has its part of the time that is left."""
        addresses = _addresses(host, port)
        failed: Exception = httpcore.ConnectError("the host has no address")
        for others, address in zip(reversed(range(len(addresses))), addresses, strict=True):
            time_s = left_s(timeout, httpcore.ConnectTimeout)
            part_s = None if time_s is None else time_s / (others + 1)
            try:
                return _Stream(self._inner.connect_tcp(address, port, part_s, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


def _addresses(host: str, port: int) -> list[str]:
    """The host's addresses as text; a link-local one of IPv6 names its interface."""
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [socket.getnameinfo(address, numeric)[0] for *_, address in found]
    except (OSError, UnicodeError) as error:  # UnicodeError: no name of a host can be so
        raise httpcore.ConnectError(str(error)) from error


def hold_to_deadline(http: httpx.Client) -> None:
    """Have the connections of a client, those through proxies too, end when the ``_deadline`` of the try is over.

    What they can't end is the resolving of a name, for the system's resolver takes no time-out.

    httpx takes no network backend, so this is put where it keeps one; everything else stays httpx's. Where another
    httpx keeps none there, each wait is bounded, not their sum; a test tells us.
    """
    inside: Any = http
    mounts: dict[Any, Any] = getattr(inside, "_mounts", {})  # by URL: the proxies of the environment
    for transport in (getattr(inside, "_transport", None), *mounts.values()):
        pool: Any = getattr(transport, "_pool", None)
        backend = getattr(pool, "_network_backend", None)
        if isinstance(backend, httpcore.SyncBackend):
            pool._network_backend = _Backend(backend)  # noqa: SLF001 - see above
