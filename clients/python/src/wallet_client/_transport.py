"""Limits the time of a whole attempt of a WalletClient; httpx limits each wait, but not their sum.

A module of its own, so that httpcore, with which httpx sends, is loaded only when the first client is created.
"""

import socket
import ssl
from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

import httpcore
import httpx

from wallet_client._deadline import left_s
from wallet_client._forks import renew_after_fork


class _Stream(httpcore.NetworkStream):
    """A connection on which no step takes longer than the deadline allows."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        _OPEN.streams.add(self)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, left_s(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        connection: socket.socket = self._inner.get_extra_info("socket")
        left = memoryview(buffer)
        try:
            while left:  # each send takes as much as the socket has room for
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
            self.close()  # the caller does not
            raise
        within_tls = self._inner.get_extra_info("ssl_object") is not None
        made = self._inner.start_tls(ssl_context, server_hostname, time_s)
        # TLS within TLS (an https proxy) is not written to the socket directly, so it can't be limited here.
        return made if within_tls else _Stream(made)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _OpenStreams:
    """The connections of this process, so that a child process can give up its copies of them."""

    def __init__(self) -> None:
        self.streams: WeakSet[_Stream] = WeakSet()
        renew_after_fork(self, _OpenStreams.give_up)

    def give_up(self) -> None:
        """Close the child's copies of the sockets; the parent's stay open, and nothing is sent.

        Otherwise a connection that the parent closes would stay open as long as the child lives.
        """
        for stream in list(self.streams):
            connection: socket.socket = stream.get_extra_info("socket")
            connection.close()
        self.streams = WeakSet()


_OPEN = _OpenStreams()


class _Backend(httpcore.NetworkBackend):
    """Opens such connections."""

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
        """Connect to the first of the host's addresses that accepts; each address gets its share of the time left."""
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
    """The host's addresses as text; a link-local IPv6 address includes its interface."""
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [socket.getnameinfo(address, numeric)[0] for *_, address in found]
    except (OSError, UnicodeError) as error:  # UnicodeError: the name can't be encoded as a host name
        raise httpcore.ConnectError(str(error)) from error


def hold_to_deadline(http: httpx.Client) -> None:
    """Make the connections of a client, also through proxies, end at the deadline of the attempt (``_deadline``).

    The lookup of a host name is not limited, since the system's resolver takes no timeout.

    httpx has no parameter for a network backend, so this replaces the one inside its pool. If a later httpx keeps it
    elsewhere, each wait is limited, but not their sum; a test then fails.
    """
    internals: Any = http
    mounts: dict[Any, Any] = getattr(
        internals, "_mounts", {}
    )  # by URL: the proxies of the environment variables
    for transport in (getattr(internals, "_transport", None), *mounts.values()):
        pool: Any = getattr(transport, "_pool", None)
        backend = getattr(pool, "_network_backend", None)
        if isinstance(backend, httpcore.SyncBackend):
            pool._network_backend = _Backend(backend)  # noqa: SLF001 - see the docstring
