"""One question to another service, and an answer that can be trusted to be one."""

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
from wallet_service.platform.upstreams.breaker import Breaker
from wallet_service.platform.upstreams.discovery import Discovery, NoInstance
from wallet_service.platform.upstreams.metrics import UpstreamMetrics
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.upstreams.responses import AnswerUnusable, Unreadable, refuses_id
from wallet_service.platform.upstreams.settings import UpstreamSettings
from wallet_service.platform.upstreams.tracing import CallSpans
from wallet_service.platform.upstreams.transport import ExactTransport

ATTEMPTS = 3
BACKOFF_S = 0.05
"""Most before the second attempt; twice that before the third."""
CONNECTIONS = 20
LARGEST_BYTES = 65_536

_AWAY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
"""Of the statuses below 500 those that are nothing about the question."""
_OURS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

_Read = TypeVar("_Read")

_log = structlog.get_logger()


class _NoAnswer(Exception):
    """Nobody answered, and nobody is to be asked again at once."""


class _Failed(_NoAnswer):
    """An attempt failed; another may not."""


class _NotAsked(Exception):
    """It failed too often, and is left alone for a while."""


class _BadStatus(Unreadable):
    def __init__(self, status: int) -> None:
        super().__init__(f"the answer has status {status}")
        self.status = status


@dataclass(slots=True)
class _Question:
    method: str
    path: str
    body: Mapping[str, Any] | None
    headers: Mapping[str, str]
    until: float
    """By the loop's clock."""
    waited: bool = False
    """For one of our own places: time that is not the instance's fault."""


def path_of(*segments: str) -> str:
    """A path whose segments are exactly these, whatever is in them.

    Raises:
        ValueError: a segment can't stand in a path: empty, ``.``, ``..``, or no Unicode text.
    """
    if any(segment in {"", ".", ".."} for segment in segments):
        raise ValueError("not a segment of a path")
    return "".join("/" + quote(segment, safe="") for segment in segments)


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Read once: they cost 30 ms of CPU."""
    return httpx.create_ssl_context(trust_env=False)


class UpstreamClient:
    """Asks one service, whichever of its instances answers.

    Args:
        service: its name in discovery.
        discovery: where its instances are.
        timeout_s: for a question with all its attempts; an attempt takes half of it at most.
        clock: seconds, for the breaker.
        metrics: counts the questions.
        spans: given, attempts have spans, and the trace goes on at the other service.
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
        self._breaker = Breaker(clock)
        self._metrics = metrics or UpstreamMetrics()
        self._metrics.watch_breaker(service, lambda: self._breaker.is_open)
        self._spans = spans
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._http: httpx.AsyncClient | None = None
        self._turned_away = False
        self._nowhere = False
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
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> _Read:
        """Ask, and again while there is time: only for what is safe to repeat.

        Args:
            method: as in HTTP.
            path: from ``path_of``.
            read: makes the answer of the status (2xx or 4xx) and the JSON object, which is empty where a 4xx has
                none; a ValueError says that it is no answer.
            body: sent as JSON.
            headers: beside the ones of every question.

        Raises:
            AnswerUnusable: the service is there, and what it said is no answer.
            UpstreamUnavailable: no instance said anything that could be read.
        """
        sent = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # a few compressed bytes can be a gigabyte
            "X-Request-Id": str(structlog.contextvars.get_contextvars().get("request_id") or new_id()),
            **(headers or {}),
        }
        http = await self._opened()
        question = _Question(method, path, body, sent, asyncio.get_running_loop().time() + self._timeout_s)

        async def attempt() -> _Read:
            return await self._attempt(http, question, read)

        started, outcome = time.perf_counter(), "cancelled"
        # Nothing is chained: what an error comes from can have the answer in its text, and so somebody's name.
        try:
            answer: _Read = await self._retries.run(attempt)
        except AnswerUnusable:
            outcome = "unusable"
            raise
        except _NotAsked:
            outcome = "not_asked"
            _log.debug("upstream_not_asked", upstream=self._service)
            raise self._unavailable("does not answer") from None
        except NoInstance:
            outcome = "not_known"
            raise self._unavailable(self._note_nowhere()) from None
        except _NoAnswer as error:
            outcome = "unavailable"
            _log.warning("upstream_unavailable", upstream=self._service, reason=str(error))
            raise self._unavailable("does not answer") from None
        else:
            outcome = "answered"
            return answer
        finally:
            self._metrics.asked(self._service, outcome, time.perf_counter() - started)

    async def close(self) -> None:
        """Release the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def _opened(self) -> httpx.AsyncClient:
        """Made for the first question: many services never ask one."""
        if self._http is None:
            authorities = await asyncio.to_thread(_authorities)
            self._http = self._http or httpx.AsyncClient(
                transport=ExactTransport(CONNECTIONS, authorities),
                timeout=None,  # noqa: S113 - an attempt has one limit for all of it, see below
                follow_redirects=False,
                trust_env=False,  # upstreams are not behind the proxy to the internet
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            )
        return self._http

    def _unavailable(self, fault: str) -> UpstreamUnavailable:
        return UpstreamUnavailable(f"The {self._service} service {fault}", upstream=self._service)

    def _note_nowhere(self) -> str:
        setting = UpstreamSettings.variable(f"{self._service}_url")
        if not self._nowhere:
            self._nowhere = True
            _log.warning("upstream_not_known", upstream=self._service, setting=setting)
        return f"is not known here: no healthy instance and no {setting}"

    async def _attempt(
        self, http: httpx.AsyncClient, question: _Question, read: Callable[[int, dict[str, Any]], _Read]
    ) -> _Read:
        if self._breaker.is_paused:
            raise _NotAsked
        async with self._place(question):
            status, document = await self._answer(http, question)
        try:
            if not isinstance(document, dict):
                raise Unreadable("the answer is no JSON object")
            said = read(status, cast("dict[str, Any]", document))
        except ValueError as error:
            self._note_unusable(status, error)
            refused = isinstance(document, dict) and refuses_id(status, cast("dict[str, Any]", document))
            raise AnswerUnusable(self._service, status, refuses_id=refused) from None
        self._turned_away = False
        return said

    @asynccontextmanager
    async def _place(self, question: _Question) -> AsyncGenerator[None]:
        """One of our connections. The wait for it is not the instance's doing, so it is before the attempt's time."""
        question.waited = question.waited or self._places.locked()
        try:
            async with asyncio.timeout_at(question.until):
                await self._places.acquire()
        except TimeoutError:
            raise _NoAnswer(f"none of our {CONNECTIONS} connections was free in time") from None
        try:
            yield
        finally:
            self._places.release()

    async def _answer(self, http: httpx.AsyncClient, question: _Question) -> tuple[int, Any]:
        """What an instance answers, and what that says about it: also when it can't be used, the instance is there."""
        base = self._discovery.instance(self._service)
        self._nowhere = False
        if not self._breaker.allows():
            raise _NotAsked
        left_s = question.until - asyncio.get_running_loop().time()
        whole_s = self._timeout_s / 2
        try:
            # One limit for the whole, however slowly it trickles.
            async with asyncio.timeout(min(whole_s, left_s)):
                found = await self._exchange(http, base, question)
        except Exception as error:  # noqa: BLE001 - whatever it was, this attempt has no answer
            if isinstance(error, TimeoutError) and question.waited and left_s < whole_s:
                raise _NoAnswer("too little time was left after the wait for a connection of ours") from None
            self._note_failure(base)
            again = not (isinstance(error, _BadStatus) and error.status == HTTPStatus.TOO_MANY_REQUESTS)
            raise (_Failed if again else _NoAnswer)(_reason(error)) from None
        if self._breaker.is_open:
            _log.info("upstream_back", upstream=self._service)
        self._breaker.succeeded()
        return found

    def _note_failure(self, base: str) -> None:
        self._discovery.failed(self._service, base)
        was_open = self._breaker.is_open
        self._breaker.failed()
        if self._breaker.is_open and not was_open:
            _log.warning("upstream_left_alone", upstream=self._service)

    def _note_unusable(self, status: int, error: ValueError) -> None:
        if status not in _OURS:
            _log.warning("upstream_answer_unusable", upstream=self._service, reason=_reason(error))
        elif not self._turned_away:
            self._turned_away = True
            _log.error("upstream_refuses_us", upstream=self._service, status=status)

    async def _exchange(self, http: httpx.AsyncClient, base: str, question: _Question) -> tuple[int, Any]:
        calling = (
            self._spans.call(self._service, question.method, question.headers)
            if self._spans is not None
            else nullcontext(question.headers)
        )
        with calling as headers:
            async with http.stream(
                question.method, base + question.path, json=question.body, headers=headers
            ) as response:
                status = response.status_code
                if response.is_success:
                    return status, await _json(response)
                if not response.is_client_error or status in _AWAY:
                    raise _BadStatus(status)
                try:
                    return status, await _json(response)
                except (ValueError, RecursionError):
                    return status, {}  # its status says enough


async def _json(response: httpx.Response) -> Any:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind == "application/json" or kind.endswith("+json")):
        raise Unreadable(f"the answer of status {response.status_code} is no JSON")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Unreadable("the answer is encoded")
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_BYTES:
            raise Unreadable(f"the answer is larger than {LARGEST_BYTES} bytes")
    return json.loads(body)


def _reason(error: Exception) -> str:
    """For the log: of others' errors only the kind, as their text can have somebody's name in it."""
    if isinstance(error, Unreadable):
        return str(error)
    return (
        f"{type(error).__name__}: {error}" if isinstance(error, httpx.ConnectError) else type(error).__name__
    )
