"""The attempts of one call, without I/O: the next request, what a response means, how long to wait before a retry."""

import json
import logging
from collections.abc import Callable
from decimal import Decimal
from http import HTTPStatus
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import httpx

from wallet_client import _retries
from wallet_client._call import Call, SuccessResponse
from wallet_client._context import Context
from wallet_client._endpoints import NoEndpoint
from wallet_client._options import timeouts
from wallet_client._problems import error_of, supersedes_earlier_attempts
from wallet_client.errors import (
    ClientClosed,
    NoAnswer,
    OutcomeUnknown,
    ServiceError,
    TransportNotUsable,
    UnexpectedAnswer,
    WalletError,
)
from wallet_client.keys import new_key

T = TypeVar("T")

log = logging.getLogger("wallet_client")

_SHORTEST_S = 0.001
_SUCCESS = range(200, 300)
_OF_GATEWAYS = frozenset({502, 504})
_UNREADABLE = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError)


class BodyBuffer:
    """Collects the body of a response, up to a size and a time."""

    def __init__(self, max_bytes: int, deadline: float, clock: Callable[[], float]) -> None:
        self._max_bytes = max_bytes
        self._deadline = deadline
        self._clock = clock
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        """Add the next part.

        Raises:
            UnexpectedAnswer: the body is larger than the limit.
            ReadTimeout: the deadline has passed.
        """
        self._size += len(part)
        if self._size > self._max_bytes:
            raise UnexpectedAnswer(f"the response has more than {self._max_bytes} bytes")
        if self._clock() > self._deadline:
            raise httpx.ReadTimeout("the response did not end in time")
        self._parts.append(part)

    def content(self) -> bytes:
        """The whole body."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


class Attempts(Generic[T]):
    """The attempts of one call. Use it in a ``with`` block, which counts the call in the metrics.

    For each attempt: ``request``, then ``failed`` or ``responded``. Each of these two returns how long to wait before the
    next attempt, or raises the error with which the call ends.

    Attributes:
        result: of the call, after ``responded`` returned None.
    """

    result: T

    def __init__(self, context: Context, call: Call[T]) -> None:
        self._context = context
        self._call = call
        self._attempts = 0
        self._retries = 0
        self._paid = 0.0
        self._open = False
        self._reached = False
        self._connect_by: float | None = None
        self._status: int | None = None
        self._url = ""
        self._span: Any = None

    def __enter__(self) -> Self:
        self._started = self._sent = self._context.clock()
        self._deadline = self._started + self._context.policy.budget_s
        self._headers = self._headers_of_all_attempts()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        duration_s = self._context.clock() - self._started
        failed = None if kind is None else kind.__name__
        self._context.metrics.add(self._call.name, duration_s, self._retries, failed)
        if self._context.tracing is not None:
            self._context.tracing.end(self._span, self._status, self._attempts, error)
        if log.isEnabledFor(logging.DEBUG):
            facts = self._facts(status=self._status, duration_s=duration_s, error=failed)
            log.debug("%s: %s", self._call.name, failed or self._status, extra=facts)

    @property
    def left_s(self) -> float:
        """The rest of the call's time budget."""
        return max(0.0, self._deadline - self._context.clock())

    @property
    def connect_s(self) -> float:
        """The rest of the time in which an attempt has to reach the service; ``left_s`` once one has."""
        if self._reached:
            return self.left_s
        now = self._context.clock()
        if self._connect_by is None:
            self._connect_by = now + self._context.policy.connect_budget_s
        return max(0.0, min(self._connect_by, self._deadline) - now)

    @property
    def connection_wait_s(self) -> float:
        """How long to wait for a free connection, so that there is time left for the attempt."""
        return min(self._context.timeout_s, max(0.0, self.left_s - self._shortest_s))

    @property
    def attempt_s(self) -> float:
        """How long the attempt that ``request`` started may take."""
        return min(self.left_s, self._context.timeout_s)

    @property
    def _shortest_s(self) -> float:
        return min(self._context.timeout_s, _retries.SHORTEST_ATTEMPT_S)

    def request(self) -> httpx.Request:
        """The request of the next attempt.

        Raises:
            NoEndpoint: no base URL of the service is known.
        """
        context, call = self._context, self._call
        connect_s = max(_SHORTEST_S, self.connect_s)
        url = self._url = context.endpoints.choose()
        self._attempts += 1
        self._sent = context.clock()
        left_s = max(_SHORTEST_S, self._deadline - self._sent)
        if context.on_request is not None:
            context.call_hook(
                context.on_request, _events().RequestEvent(call.name, call.method, call.route, self._attempts)
            )
        is_first = self._attempts == 1 and left_s >= context.timeout_s
        return httpx.Request(
            call.method,
            url + call.target,
            headers=[*self._headers, *self._headers_of_the_attempt()],
            content=call.body,
            extensions={
                "timeout": context.timeouts
                if is_first
                else timeouts(min(left_s, context.timeout_s), connect_s)
            },
        )

    def body_buffer(self) -> BodyBuffer:
        """Collects the body of the response to the current request."""
        deadline = min(self._deadline, self._sent + self._context.timeout_s)
        return BodyBuffer(self._context.max_answer_bytes, deadline, self._context.clock)

    def no_endpoint(self, reason: NoEndpoint) -> float:
        """No base URL of the service is known. Seconds to wait before the next attempt.

        Raises:
            WalletError: there is no next attempt.
        """
        error = NoAnswer(f"{self._call.name}: {reason}")
        error.__cause__ = reason.__cause__
        return self._retry(error, retry=True, free=True)

    def closed(self) -> WalletError:
        """The error with which the call ends if the client is closed."""
        return self._final(ClientClosed(f"{self._call.name}: the client is closed"))

    def misplaced(self, error: TransportNotUsable) -> WalletError:
        """The error with which the call ends where the client's transport can't be used."""
        return self._final(error)

    def failed(self, error: httpx.RequestError | UnexpectedAnswer) -> float:
        """The attempt ended without a complete response. Seconds to wait before the next attempt.

        Raises:
            WalletError: there is no next attempt.
        """
        self._reached = (
            self._reached or isinstance(error, UnexpectedAnswer) or not _retries.is_unreached(error)
        )
        if not isinstance(error, httpx.PoolTimeout):  # which is not a fault of the endpoint
            self._context.endpoints.failed(self._url)
        if isinstance(error, UnexpectedAnswer):
            self._open = self._open or self._call.writes
            return self._retry(error, retry=False)
        if self._call.writes and not _retries.is_unsent(error):
            self._open = True
        attempts = f" in {self._attempts} attempts" if self._attempts > 1 else ""
        at = f" at {_origin(self._url)}" if self._url else ""  # no URL: no connection became free
        cause = _retries.system_text(error)
        why = f"{type(error).__name__}{at}{f': {cause}' if cause else ''}"
        no_response = NoAnswer(f"{self._call.name}: no response{attempts} ({why})")
        no_response.__cause__ = error
        timed_out = isinstance(error, httpx.TimeoutException)
        return self._retry(no_response, retry=_retries.may_pass(error), timed_out=timed_out)

    def responded(self, status: int, headers: httpx.Headers, body: bytes) -> float | None:
        """A complete response. None: it is a success; otherwise seconds to wait before the next attempt.

        Raises:
            WalletError: there is no next attempt.
        """
        context, call = self._context, self._call
        self._reached = True
        self._status = status
        if context.on_response is not None:
            duration_s = context.clock() - self._sent
            event = _events().ResponseEvent(
                call.name, call.method, call.route, self._attempts, status, duration_s
            )
            context.call_hook(context.on_response, event)
        if status in _SUCCESS:
            return self._succeeded(status, headers, body)
        if status < HTTPStatus.BAD_REQUEST:
            return self._retry(
                self._unexpected(status, "which is a redirect or not a final status"), retry=False
            )
        error = _refusal(status, headers, body)
        if status in _OF_GATEWAYS:
            context.endpoints.failed(self._url)
        if call.writes and _retries.leaves_open(error):
            self._open = True
        return self._retry(error, retry=_retries.is_temporary(error))

    def _succeeded(self, status: int, headers: httpx.Headers, body: bytes) -> float | None:
        try:
            document = _content(self._call, status, body)
            replayed = headers.get("Idempotency-Replayed") == "true"
            self.result = self._call.read(SuccessResponse(document, replayed, self._open))
        except _UNREADABLE as error:
            self._open = self._open or self._call.writes
            kind = headers.get("Content-Type", "")
            made = self._unexpected(status, f"with a body that can't be read ({kind or 'no content type'})")
            made.__cause__ = error
            # Incomplete JSON was cut off in transit. A page of a proxy would be the same after a retry.
            cut = isinstance(error, json.JSONDecodeError) and kind.startswith("application/json")
            return self._retry(made, retry=cut)
        self._context.tokens.give_back(self._paid)
        return None

    def _unexpected(self, status: int, what: str) -> UnexpectedAnswer:
        error = UnexpectedAnswer(f"{self._call.name}: a response with status {status}, {what}")
        error.status = status
        return error

    def _retry(
        self, error: WalletError, *, retry: bool, timed_out: bool = False, free: bool = False
    ) -> float:
        policy, call = self._context.policy, self._call
        after_s = error.retry_after_s if isinstance(error, ServiceError) else None
        wait_s = policy.wait_s(self._retries, after_s)
        too_late = wait_s + self._shortest_s > self.connect_s
        if not retry or too_late or self._retries >= policy.max_retries:
            raise self._final(error)
        if not free:
            self._paid = self._context.tokens.take(timed_out=timed_out)
            if not self._paid:
                raise self._final(error)
        self._retries += 1
        if self._context.on_retry is not None:
            event = _events().RetryEvent(call.name, call.method, call.route, self._attempts, wait_s, error)
            self._context.call_hook(self._context.on_retry, event)
        if log.isEnabledFor(logging.INFO):
            facts = self._facts(wait_s=wait_s, error=type(error).__name__)
            log.info(
                "%s; attempt %d follows in %.2f s",
                _cause(call.name, error),
                self._retries + 1,
                wait_s,
                extra=facts,
            )
        return wait_s

    def _final(self, error: WalletError) -> WalletError:
        """The error with which the call ends if its last attempt ended with this one."""
        error.idempotency_key = self._call.key
        if not self._open or (isinstance(error, ServiceError) and supersedes_earlier_attempts(error.facts)):
            return error
        if (
            self._call.key is not None
            and isinstance(error, ServiceError)
            and _retries.is_of_the_ledger(error)
        ):
            error.earlier_attempt_open = True
            return error
        unknown = OutcomeUnknown(f"{self._call.name}: it may or may not have been done; last error: {error}")
        unknown.idempotency_key = self._call.key
        unknown.__cause__ = error
        return unknown

    def _headers_of_all_attempts(self) -> list[tuple[str, str]]:
        call = self._call
        headers = [*self._context.headers, *call.headers]
        if call.key is not None:
            headers += (("Idempotency-Key", call.key), ("Idempotency-Call", new_key()))
        if call.body is not None:
            headers.append(("Content-Type", call.content_type))
        if self._context.tracing is not None:
            self._span, carried = self._context.tracing.start(call)
            headers.extend(carried.items())
        return headers

    def _headers_of_the_attempt(self) -> list[tuple[str, str]]:
        return [] if self._call.key is None else [("Idempotency-Attempt", str(self._attempts))]

    def _facts(self, **more: Any) -> dict[str, Any]:
        """The members of a log line: no personal data, no key."""
        call = self._call
        return {"wallet_call": call.name, "route": call.route, "attempts": self._attempts, **more}


def _content(call: Call[Any], status: int, body: bytes) -> Any:
    """The bytes of a response, or its JSON; None where it has no body."""
    if call.reads_bytes:
        return body
    return None if status == HTTPStatus.NO_CONTENT else _document(body)


def _document(body: bytes) -> Any:
    """The JSON of a response. Numbers with a decimal point, and integers that int can't read, are Decimal.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return json.loads(body, parse_float=Decimal)
    except json.JSONDecodeError:
        raise
    except ValueError:  # int reads 4,300 digits at most; SQL before 0.2 accepted longer ones in metadata
        return json.loads(body, parse_float=Decimal, parse_int=Decimal)


def _cause(name: str, error: WalletError) -> str:
    """Why an attempt failed, for the log: never the detail of a problem, which may quote what was sent."""
    if not isinstance(error, ServiceError):
        return str(error)  # it begins with the name of the call
    request = f", request {error.request_id}" if error.request_id else ""
    return f"{name}: {error.code or f'HTTP {error.status}'}{request}"


def _origin(url: str) -> str:
    """Scheme, host and port, and no other part of the URL."""
    parsed = httpx.URL(url)
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"


def _events() -> Any:
    from wallet_client import events  # noqa: PLC0415 - loaded only if there is a hook

    return events


def _refusal(status: int, headers: httpx.Headers, body: bytes) -> ServiceError:
    document: dict[str, Any] = {}
    try:
        document.update(json.loads(body))
    except (ValueError, TypeError, RecursionError):
        document.clear()  # a page, or another kind of JSON
    if not isinstance(document.get("code"), str):
        kind = headers.get("Content-Type") or "no content type"
        document = {"detail": f"Not the service but a proxy or gateway responded with {status} ({kind})"}
    return error_of(document, status, _retries.retry_after_s(headers.get("Retry-After")))
