"""How a WalletClient sends a try: as httpx does, and within its time as a whole, which httpx has no bound for.

Apart, so that httpcore, which httpx sends with, is loaded when the first client is made.
"""

import socket
import ssl
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from urllib.request import getproxies

import httpcore
import httpx


class _Deadline(threading.local):
    """When the try of this thread is over; all that is done for a try is done by the thread that called."""

    at_s = 0.0

    def left_s(self, longest_s: float | None, late: type[Exception]) -> float:
        """How long the next step may take, which was to take ``longest_s`` at most."""
        left_s = self.at_s - time.monotonic()
        if left_s <= 0:
            raise late("the time of the try is over")
        return left_s if longest_s is None else min(longest_s, left_s)


class _Stream(httpcore.NetworkStream):
    """A connection of which no step goes beyond the deadline."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left_s(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        connection: socket.socket = self._inner.get_extra_info("socket")
        left = memoryview(buffer)
        try:
            while left:  # as much as there is room for, each time
                connection.settimeout(self._deadline.left_s(timeout, httpcore.WriteTimeout))
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
        left_s = self._deadline.left_s(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left_s), self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Makes such connections."""

    def __init__(self, deadline: _Deadline) -> None:
        self._inner = httpcore.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """To the first of the host's addresses that answers; each has its part of the time that is left."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        failed: Exception = httpcore.ConnectError("the host has no address")
        for others, (*_, address) in zip(reversed(range(len(found))), found, strict=True):
            left_s = self._deadline.left_s(timeout, httpcore.ConnectTimeout)
            part_s = left_s / (others + 1)
            try:
                made = self._inner.connect_tcp(str(address[0]), port, part_s, local_address, socket_options)
                return _Stream(made, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


class _Answer(httpx.SyncByteStream):
    """The body of an answer."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _errors_of_httpx():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class BoundedTransport(httpx.BaseTransport):
    """As httpx.HTTPTransport, but the time-out of a request bounds it as a whole: connecting, sending and reading.

    What it can't bound is a name that is not resolved, for the system's resolver takes no time-out.
    """

    def __init__(self, limits: httpx.Limits) -> None:
        self._deadline = _Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Backend(self._deadline),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it; its body is read by the same thread."""
        self._deadline.at_s = time.monotonic() + request.extensions["timeout"]["read"]
        url = request.url
        sent = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _errors_of_httpx():
            response = self._pool.handle_request(sent)
        return httpx.Response(response.status, headers=response.headers, stream=_Answer(response))

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


@contextmanager
def _errors_of_httpx() -> Generator[None, None, None]:
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error  # it has one of each name


def own_transport(limits: httpx.Limits) -> BoundedTransport | None:
    """What a client sends with; None: httpx's own, for it goes through the proxy that the environment names."""
    proxies = getproxies()
    return None if any(proxies.get(each) for each in ("http", "https", "all")) else BoundedTransport(limits)
