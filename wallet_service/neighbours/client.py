"""One question to another service, and an answer that can be trusted to be one."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar, cast
from urllib.parse import quote

import httpx
import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from wallet_service.errors import NeighbourUnavailable
from wallet_service.identifiers import new_id
from wallet_service.neighbours.breaker import Breaker
from wallet_service.neighbours.discovery import Discovery, NoInstance

ATTEMPTS = 3
CONNECTIONS = 20
IDLE_CONNECTIONS = 10
LARGEST_BYTES = 65_536

_FAILED_STATUS = 500
_TOO_MANY = 429
_NO_SUCH_PATH = {"detail": "Not Found"}
"""What FastAPI and Starlette's routers answer where no route is: it says nothing about the thing that was asked for."""

_Read = TypeVar("_Read")

_log = structlog.get_logger()


class _NoAnswer(Exception):
    """An attempt failed; another may not."""


class _NotAsked(Exception):
    """There is nobody to ask now."""


def path_of(*segments: str) -> str:
    """A path whose segments are exactly these, whatever is in them.

    Raises:
        ValueError: a segment can't stand in a path: empty, ``.``, ``..``, or no Unicode text.
    """
    if any(segment in {"", ".", ".."} for segment in segments):
        raise ValueError("not a segment of a path")
    return "".join("/" + quote(segment, safe="") for segment in segments)


class NeighbourClient:
    """Asks one service, whichever of its instances answers.

    Args:
        service: its name in discovery.
        discovery: where its instances are.
        timeout_s: for a question with all its attempts; an attempt takes half of it at most.
        clock: seconds, for the breaker.
    """

    def __init__(
        self,
        service: str,
        discovery: Discovery,
        *,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._discovery = discovery
        self._timeout_s = timeout_s
        self._breaker = Breaker(clock)
        self._client = httpx.AsyncClient(
            timeout=timeout_s / 2,
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=IDLE_CONNECTIONS),
            follow_redirects=False,
            trust_env=False,  # neighbours are not behind the proxy to the internet
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
        self._retrying = AsyncRetrying(
            retry=retry_if_exception_type(_NoAnswer),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.05, max=0.5),
            reraise=True,
        )

    async def ask(
        self,
        method: str,
        path: str,
        read: Callable[[int, dict[str, Any]], _Read],
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> _Read:
        """Ask, and again while there is time: only for what is safe to repeat.

        Args:
            method: as in HTTP.
            path: from ``path_of``.
            read: makes the answer of its status and JSON object; a ValueError says that it is none.
            body: sent as JSON.
            headers: beside the ones of every question.

        Raises:
            NeighbourUnavailable: no instance gave an answer that could be read.
        """
        sent = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # a few compressed bytes can be a gigabyte
            "X-Request-Id": str(structlog.contextvars.get_contextvars().get("request_id") or new_id()),
            **(headers or {}),
        }

        async def attempt() -> _Read:
            return await self._attempt(method, path, read, body, sent)

        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._retrying.copy()(attempt)
        except _NotAsked as error:
            _log.debug("neighbour_not_asked", neighbour=self._service, reason=str(error))
            raise self._unavailable() from error
        except (_NoAnswer, TimeoutError) as error:
            _log.warning("neighbour_unavailable", neighbour=self._service, reason=_reason(error))
            raise self._unavailable() from error

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()

    def _unavailable(self) -> NeighbourUnavailable:
        return NeighbourUnavailable(f"The {self._service} service does not answer", neighbour=self._service)

    async def _attempt(
        self,
        method: str,
        path: str,
        read: Callable[[int, dict[str, Any]], _Read],
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> _Read:
        if not self._breaker.allows():
            raise _NotAsked("it failed too often, and is left alone for a while")
        try:
            base = self._discovery.instance(self._service)
        except NoInstance as error:
            raise _NotAsked(str(error)) from error
        try:
            # The timeout of httpx is per read; this one is for the whole, however slowly it trickles.
            async with asyncio.timeout(self._timeout_s / 2):
                answer = read(*await self._exchange(method, base + path, body, headers))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, RecursionError) as error:
            self._note_failure(base)
            raise _NoAnswer(_reason(error)) from error
        if self._breaker.is_open:
            _log.info("neighbour_back", neighbour=self._service)
        self._breaker.succeeded()
        return answer

    def _note_failure(self, base: str) -> None:
        self._discovery.failed(self._service, base)
        was_open = self._breaker.is_open
        self._breaker.failed()
        if self._breaker.is_open and not was_open:
            _log.warning("neighbour_left_alone", neighbour=self._service)

    async def _exchange(
        self, method: str, url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        async with self._client.stream(method, url, json=body, headers=headers) as response:
            status = response.status_code
            if response.is_redirect or status >= _FAILED_STATUS or status == _TOO_MANY:
                raise ValueError(f"the answer has status {status}")
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if not (kind == "application/json" or kind.endswith("+json")):
                raise ValueError(f"the answer of status {status} is no JSON")
            return status, _object(await _body(response))


async def _body(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ValueError("the answer is encoded")
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_BYTES:
            raise ValueError(f"the answer is larger than {LARGEST_BYTES} bytes")
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("the answer is no JSON object")  # noqa: TRY004  # the same kind as other bad answers
    if document == _NO_SUCH_PATH:
        raise ValueError("the service does not have this path")
    return cast("dict[str, Any]", document)


def _reason(error: BaseException) -> str:
    # Of pydantic's only the kind: its text has the values in it, which can be somebody's.
    text = "" if isinstance(error, ValueError) and type(error) is not ValueError else str(error)
    return text if isinstance(error, _NoAnswer) else f"{type(error).__name__}: {text}".removesuffix(": ")
