"""Calls one upstream service: retries, breaker, and checks that the response can be used."""

import asyncio
import functools
import json
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar, cast
from urllib.parse import quote

import httpx
import structlog

from wallet_service.core.identifiers import new_id
from wallet_service.core.retries import RetryPolicy
from wallet_service.platform.upstreams.breaker import Breakers, Resource
from wallet_service.platform.upstreams.discovery import Discovery, NoInstance
from wallet_service.platform.upstreams.metrics import UpstreamMetrics
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.upstreams.responses import ResponseDefect, ResponseUnusable, refuses_id
from wallet_service.platform.upstreams.settings import UpstreamSettings
from wallet_service.platform.upstreams.tracing import CallSpans
from wallet_service.platform.upstreams.transport import ExactTransport

ATTEMPTS = 3
BACKOFF_S = 0.05
"""The longest pause before the second attempt, in seconds; twice that before the third."""
CONNECTIONS = 20
LARGEST_BYTES = 65_536

_UNAVAILABLE = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
"""Statuses below 500 that are not about the request."""
_ACCESS_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

_Read = TypeVar("_Read")

_log = structlog.get_logger()


class _NoResponse(Exception):
    """No instance responded, and no further attempt is useful."""


class _Failed(_NoResponse):
    """An attempt failed; another one may succeed."""


class _BreakerOpen(Exception):
    """The breaker is open."""


class _BadStatus(ResponseDefect):
    def __init__(self, status: int) -> None:
        super().__init__(f"the response has status {status}")
        self.status = status


@dataclass(slots=True)
class _Request:
    method: str
    resource: Resource
    body: Mapping[str, Any] | None
    headers: Mapping[str, str]
    until: float
    """The end of the call's time, by the loop's clock."""
    waited: bool = False
    """Whether it waited for a connection of ours: that time is not the instance's fault."""


def path_of(*segments: str) -> str:
    """A path of exactly these segments, which are escaped.

    Raises:
        ValueError: a segment can't be in a path: it is empty, ``.`` or ``..``, or not Unicode text.
    """
    if any(segment in {"", ".", ".."} for segment in segments):
        raise ValueError("not a segment of a path")
    return "".join("/" + quote(segment, safe="") for segment in segments)


@functools.cache
def _authorities() -> ssl.SSLContext:
    """The certificates of the machine, read once, because that takes 30 ms of CPU."""
    return httpx.create_ssl_context(trust_env=False)


class UpstreamClient:
    """Calls one service, on any of its instances.

    Args:
        service: its name in discovery.
        discovery: finds its instances.
        timeout_s: seconds for a call with all its attempts; one attempt takes at most half of it.
        clock: seconds, for the breaker.
        metrics: counts the calls.
        spans: if given, attempts have spans, and the service receives the trace context.
    """

    def __init__(
        self,
        service: str,
        discovery: Discovery,
        *,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        metrics: UpstreamMetrics | None = None,
        spans: CallSpans | None = None,
    ) -> None:
        self._service = service
        self._discovery = discovery
        self._timeout_s = timeout_s
        self._breakers = Breakers(clock)
        self._metrics = metrics or UpstreamMetrics()
        self._metrics.watch_breaker(service, lambda: self._breakers.is_open)
        self._spans = spans
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._http: httpx.AsyncClient | None = None
        self._access_refused = False
        self._no_instance_logged = False
        self._retries = RetryPolicy(
            is_temporary=lambda error: isinstance(error, _Failed),
            pause_s=BACKOFF_S,
            longest_pause_s=0.5,
            attempts=ATTEMPTS,
            deadline_s=timeout_s,
        )

    async def ask(
        self,
        method: str,
        path: str,
        read: Callable[[int, dict[str, Any]], _Read],
        *,
        route: str = "",
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> _Read:
        """Call the service, and retry while there is time. The request must be safe to repeat.

        Args:
            method: the HTTP method.
            path: from ``path_of``.
            read: creates the result from the status (2xx or 4xx) and the JSON object, which is empty if a 4xx has
                none; raises ValueError if the response can't be used.
            route: the kind of path. What fails on one route does not stop calls of the others.
            body: sent as JSON.
            headers: sent beside those of every request.

        Raises:
            ResponseUnusable: the service responded, but ``read`` refused the response.
            UpstreamUnavailable: no instance gave a readable response.
        """
        http = await self._opened()
        until = asyncio.get_running_loop().time() + self._timeout_s
        request = _Request(method, Resource(route, path), body, _sent(headers or {}), until)

        async def attempt() -> _Read:
            return await self._attempt(http, request, read)

        started, outcome = time.perf_counter(), "cancelled"
        # Nothing is chained: the text of a cause can have the response in it, and so data of a user.
        try:
            answer: _Read = await self._retries.run(attempt)
        except ResponseUnusable:
            outcome = "unusable"
            raise
        except _BreakerOpen:
            outcome = "breaker_open"
            _log.debug("upstream_breaker_open", upstream=self._service)
            raise self._unavailable("does not respond") from None
        except NoInstance:
            outcome = "no_instance"
            raise self._unavailable(self._log_no_instance()) from None
        except _NoResponse as error:
            outcome = "unavailable"
            _log.warning("upstream_unavailable", upstream=self._service, reason=str(error))
            raise self._unavailable("does not respond") from None
        else:
            outcome = "answered"
            return answer
        finally:
            self._metrics.called(self._service, outcome, time.perf_counter() - started)

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def _opened(self) -> httpx.AsyncClient:
        """The HTTP client, created for the first call: in many processes there is none."""
        if self._http is None:
            authorities = await asyncio.to_thread(_authorities)
            self._http = self._http or httpx.AsyncClient(
                transport=ExactTransport(CONNECTIONS, authorities),
                timeout=None,  # noqa: S113 - an attempt has one limit for all its steps, see _response_of
                follow_redirects=False,
                trust_env=False,  # upstreams are not behind the proxy to the internet
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            )
        return self._http

    def _unavailable(self, fault: str) -> UpstreamUnavailable:
        return UpstreamUnavailable(f"The {self._service} service {fault}", upstream=self._service)

    def _log_no_instance(self) -> str:
        setting = UpstreamSettings.variable(f"{self._service}_url")
        if not self._no_instance_logged:
            self._no_instance_logged = True
            _log.warning("upstream_no_instance", upstream=self._service, setting=setting)
        return f"can't be found: no healthy instance and no {setting}"

    async def _attempt(
        self, http: httpx.AsyncClient, request: _Request, read: Callable[[int, dict[str, Any]], _Read]
    ) -> _Read:
        if self._breakers.is_paused(request.resource):
            raise _BreakerOpen
        async with self._place(request):
            status, document = await self._response_of(http, request)
        try:
            if not isinstance(document, dict):
                raise ResponseDefect("the response is not a JSON object")
            result = read(status, cast("dict[str, Any]", document))
        except ValueError as error:
            self._log_unusable(status, error)
            refused = isinstance(document, dict) and refuses_id(status, cast("dict[str, Any]", document))
            raise ResponseUnusable(self._service, status, refuses_id=refused) from None
        self._access_refused = False
        return result

    @asynccontextmanager
    async def _place(self, request: _Request) -> AsyncGenerator[None]:
        """Take a connection of ours. The wait for it is before the attempt, because it is not the instance's fault."""
        request.waited = request.waited or self._places.locked()
        try:
            async with asyncio.timeout_at(request.until):
                await self._places.acquire()
        except TimeoutError:
            raise _NoResponse(f"none of our {CONNECTIONS} connections was free in time") from None
        try:
            yield
        finally:
            self._places.release()

    async def _response_of(self, http: httpx.AsyncClient, request: _Request) -> tuple[int, Any]:
        """The response of an instance; reports its success or failure to the breaker and discovery."""
        base = self._discovery.instance(self._service)
        self._no_instance_logged = False
        if not self._breakers.allows(request.resource):
            raise _BreakerOpen
        left_s = request.until - asyncio.get_running_loop().time()
        whole_s = self._timeout_s / 2
        try:
            # One limit for all steps, however slowly the body arrives.
            async with asyncio.timeout(min(whole_s, left_s)):
                found = await self._exchange(http, base, request)
        except Exception as error:  # noqa: BLE001 - after any error this attempt has no response
            if isinstance(error, TimeoutError) and request.waited and left_s < whole_s:
                raise _NoResponse(
                    "too little time was left after the wait for a connection of ours"
                ) from None
            self._record_failure(base, request.resource)
            again = not (isinstance(error, _BadStatus) and error.status == HTTPStatus.TOO_MANY_REQUESTS)
            raise (_Failed if again else _NoResponse)(_reason(error)) from None
        if self._breakers.succeeded(request.resource):
            _log.info("upstream_breaker_closed", upstream=self._service, route=request.resource.route)
        return found

    def _record_failure(self, base: str, resource: Resource) -> None:
        self._discovery.failed(self._service, base)
        if (opened := self._breakers.failed(resource)) is not None:
            # Without the path, which has the user's id in it.
            _log.warning(
                "upstream_breaker_opened", upstream=self._service, route=resource.route, stops=opened
            )

    def _log_unusable(self, status: int, error: ValueError) -> None:
        if status not in _ACCESS_REFUSED:
            _log.warning("upstream_response_unusable", upstream=self._service, reason=_reason(error))
        elif not self._access_refused:
            self._access_refused = True
            _log.error("upstream_access_refused", upstream=self._service, status=status)

    async def _exchange(self, http: httpx.AsyncClient, base: str, request: _Request) -> tuple[int, Any]:
        calling = (
            self._spans.call(self._service, request.method, request.headers)
            if self._spans is not None
            else nullcontext(request.headers)
        )
        with calling as headers:
            async with http.stream(
                request.method, base + request.resource.path, json=request.body, headers=headers
            ) as response:
                status = response.status_code
                if response.is_success:
                    return status, await _json(response)
                if not response.is_client_error or status in _UNAVAILABLE:
                    raise _BadStatus(status)
                try:
                    return status, await _json(response)
                except (ValueError, RecursionError):
                    return status, {}  # the status is enough


def _sent(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of a request: these beside those that every request has."""
    return {
        "Accept": "application/json",
        "Accept-Encoding": "identity",  # a few compressed bytes can be a gigabyte
        "X-Request-Id": str(structlog.contextvars.get_contextvars().get("request_id") or new_id()),
        **headers,
    }


async def _json(response: httpx.Response) -> Any:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind == "application/json" or kind.endswith("+json")):
        raise ResponseDefect(f"the response with status {response.status_code} is not JSON")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ResponseDefect("the response is compressed")
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_BYTES:
            raise ResponseDefect(f"the response is larger than {LARGEST_BYTES} bytes")
    return json.loads(body)


def _reason(error: Exception) -> str:
    """The reason for the log: of errors of libraries only the class, because their text can have data of a user."""
    if isinstance(error, ResponseDefect):
        return str(error)
    return (
        f"{type(error).__name__}: {error}" if isinstance(error, httpx.ConnectError) else type(error).__name__
    )
