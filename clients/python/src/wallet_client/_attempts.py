"""The tries of one call, without sending anything: which request is next, what an answer means, how long to wait."""

import json
import logging
from collections.abc import Callable
from decimal import Decimal
from http import HTTPStatus
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import httpx

from wallet_client import _retries
from wallet_client._call import Answer, Call
from wallet_client._context import Core
from wallet_client._options import timeouts
from wallet_client._problems import error_of
from wallet_client.errors import (
    ClientClosed,
    NoAnswer,
    OutcomeUnknown,
    ServiceError,
    UnexpectedAnswer,
    WalletError,
)
from wallet_client.keys import checked

T = TypeVar("T")

log = logging.getLogger("wallet_client")

_SHORTEST_S = 0.001
_SUCCESS = range(200, 300)
_OF_GATEWAYS = frozenset({502, 504})
_UNREADABLE = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError)


class Body:
    """The body of an answer while it is read: neither larger than allowed, nor later."""

    def __init__(self, most_bytes: int, deadline: float, clock: Callable[[], float]) -> None:
        self._most_bytes = most_bytes
        self._deadline = deadline
        self._clock = clock
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        """The next part.

        Raises:
            UnexpectedAnswer: it is too much.
            ReadTimeout: it is too late.
        """
        self._size += len(part)
        if self._size > self._most_bytes:
            raise UnexpectedAnswer(f"the answer has more than {self._most_bytes} bytes")
        if self._clock() > self._deadline:
            raise httpx.ReadTimeout("the answer goes on and on")
        self._parts.append(part)

    def whole(self) -> bytes:
        """All of it."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


class Plan(Generic[T]):
    """The tries of one call. Within ``with``, which counts it: ``request``, then ``failed`` or ``answered``.

    Attributes:
        result: of the call, after ``answered`` returned None.
    """

    result: T

    def __init__(self, core: Core, call: Call[T]) -> None:
        if call.key is not None:
            checked(call.key)
        self._core = core
        self._call = call
        self._attempts = 0
        self._retries = 0
        self._paid = 0.0
        self._open = False
        self._status: int | None = None
        self._url = ""
        self._span: Any = None

    def __enter__(self) -> Self:
        self._started = self._sent = self._core.clock()
        self._deadline = self._started + self._core.policy.budget_s
        self._headers = self._headers_of_all_tries()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        duration_s = self._core.clock() - self._started
        failed = None if kind is None else kind.__name__
        self._core.metrics.add(self._call.name, duration_s, self._retries, failed)
        if self._core.tracing is not None:
            self._core.tracing.end(self._span, self._status, self._attempts, error)
        if log.isEnabledFor(logging.DEBUG):
            facts = self._facts(status=self._status, duration_s=duration_s, error=failed)
            log.debug("%s: %s", self._call.name, failed or self._status, extra=facts)

    @property
    def left_s(self) -> float:
        """What is left of the call's budget."""
        return max(0.0, self._deadline - self._core.clock())

    @property
    def room_s(self) -> float:
        """How long to wait for a free connection: so that there is time for the try."""
        return min(self._core.timeout_s, max(0.0, self.left_s - self._shortest_s))

    @property
    def try_s(self) -> float:
        """How long the try that ``request`` began may take."""
        return min(self.left_s, self._core.timeout_s)

    @property
    def _shortest_s(self) -> float:
        return min(self._core.timeout_s, _retries.SHORTEST_TRY_S)

    def request(self) -> httpx.Request | None:
        """The next try; None: nobody knows where the service is."""
        core, call = self._core, self._call
        url = core.places.choose()
        if url is None:
            return None
        self._url = url
        self._attempts += 1
        self._sent = core.clock()
        left_s = max(_SHORTEST_S, self._deadline - self._sent)
        if core.on_request is not None:
            core.tell(
                core.on_request, _events().RequestEvent(call.name, call.method, call.route, self._attempts)
            )
        return httpx.Request(
            call.method,
            url + call.target,
            headers=self._headers,
            content=call.body,
            extensions={"timeout": core.timeouts if left_s >= core.timeout_s else timeouts(left_s)},
        )

    def body(self) -> Body:
        """Takes the body of the answer."""
        deadline = min(self._deadline, self._sent + self._core.timeout_s)
        return Body(self._core.max_answer_bytes, deadline, self._core.clock)

    def nowhere(self) -> float:
        """Nobody knows where the service is. Seconds to wait before the next try.

        Raises:
            WalletError: there is none.
        """
        why, cause = self._core.places.nowhere()
        error = NoAnswer(f"{self._call.name}: {why}")
        error.__cause__ = cause
        return self._again(error, retry=True, free=True)

    def closed(self) -> WalletError:
        """What the call ends with when the client is closed."""
        return self._last(ClientClosed(f"{self._call.name}: the client is closed"))

    def failed(self, error: httpx.RequestError | UnexpectedAnswer) -> float:
        """The try ended without a whole answer. Seconds to wait before the next one.

        Raises:
            WalletError: there is none.
        """
        if not isinstance(error, httpx.PoolTimeout):  # which is nobody's fault but ours
            self._core.places.failed(self._url)
        if isinstance(error, UnexpectedAnswer):
            self._open = self._open or self._call.writes
            return self._again(error, retry=False)
        if self._call.writes and not _retries.is_unsent(error):
            self._open = True
        tries = f" in {self._attempts} tries" if self._attempts > 1 else ""
        at = f" at {_origin(self._url)}" if self._url else ""  # it may have waited for a connection in vain
        silence = NoAnswer(f"{self._call.name}: no answer{tries} ({type(error).__name__}{at})")
        silence.__cause__ = error
        late = isinstance(error, httpx.TimeoutException)
        return self._again(silence, retry=_retries.may_pass(error), silence=late)

    def answered(self, status: int, headers: httpx.Headers, body: bytes) -> float | None:
        """A whole answer. None: it is a success; otherwise seconds to wait before the next try.

        Raises:
            WalletError: there is none.
        """
        core, call = self._core, self._call
        self._status = status
        if core.on_response is not None:
            duration_s = core.clock() - self._sent
            event = _events().ResponseEvent(
                call.name, call.method, call.route, self._attempts, status, duration_s
            )
            core.tell(core.on_response, event)
        if status in _SUCCESS:
            return self._succeeded(status, headers, body)
        if status < HTTPStatus.BAD_REQUEST:
            return self._again(self._unexpected(status, "which is a redirect or none at all"), retry=False)
        error = _refusal(status, headers, body)
        if status in _OF_GATEWAYS:
            core.places.failed(self._url)
        if call.writes and _retries.leaves_open(error):
            self._open = True
        return self._again(error, retry=_retries.is_temporary(error))

    def _succeeded(self, status: int, headers: httpx.Headers, body: bytes) -> float | None:
        try:
            document = json.loads(body, parse_float=Decimal)
            replayed = headers.get("Idempotency-Replayed") == "true"
            self.result = self._call.read(Answer(document, replayed, self._open))
        except _UNREADABLE as error:
            self._open = self._open or self._call.writes
            kind = headers.get("Content-Type", "")
            made = self._unexpected(status, f"with a body that can't be read ({kind or 'of no type'})")
            made.__cause__ = error
            # JSON that breaks off was cut on its way; a page that somebody put in its place will be there again.
            cut = isinstance(error, json.JSONDecodeError) and kind.startswith("application/json")
            return self._again(made, retry=cut)
        self._core.tokens.give_back(self._paid)
        return None

    def _unexpected(self, status: int, what: str) -> UnexpectedAnswer:
        error = UnexpectedAnswer(f"{self._call.name}: answered with status {status}, {what}")
        error.status = status
        return error

    def _again(self, error: WalletError, *, retry: bool, silence: bool = False, free: bool = False) -> float:
        policy, call = self._core.policy, self._call
        after_s = error.retry_after_s if isinstance(error, ServiceError) else None
        wait_s = policy.wait_s(self._retries, after_s)
        too_late = wait_s + self._shortest_s > self.left_s
        if not retry or too_late or self._retries >= policy.max_retries:
            raise self._last(error)
        if not free:
            self._paid = self._core.tokens.take(silence=silence)
            if not self._paid:
                raise self._last(error)
        self._retries += 1
        if self._core.on_retry is not None:
            event = _events().RetryEvent(call.name, call.method, call.route, self._attempts, wait_s, error)
            self._core.tell(self._core.on_retry, event)
        if log.isEnabledFor(logging.INFO):
            facts = self._facts(wait_s=wait_s, error=type(error).__name__)
            log.info("%s: again after %s", call.name, type(error).__name__, extra=facts)
        return wait_s

    def _last(self, error: WalletError) -> WalletError:
        """What the call ends with when its last try ended with this."""
        error.idempotency_key = self._call.key
        if not self._open:
            return error
        if (
            self._call.key is not None
            and isinstance(error, ServiceError)
            and _retries.is_of_the_ledger(error)
        ):
            error.earlier_try_open = True
            return error
        unknown = OutcomeUnknown(f"{self._call.name}: it may have been done or not; at last: {error}")
        unknown.idempotency_key = self._call.key
        unknown.__cause__ = error
        return unknown

    def _headers_of_all_tries(self) -> list[tuple[str, str]]:
        call = self._call
        headers = [*self._core.headers, *call.headers]
        if call.key is not None:
            headers.append(("Idempotency-Key", call.key))
        if call.body is not None:
            headers.append(("Content-Type", "application/json"))
        if self._core.tracing is not None:
            self._span, carried = self._core.tracing.start(call)
            headers.extend(carried.items())
        return headers

    def _facts(self, **more: Any) -> dict[str, Any]:
        """What a log line says: nothing of anybody's data, no key."""
        call = self._call
        return {"wallet_call": call.name, "route": call.route, "attempts": self._attempts, **more}


def _origin(url: str) -> str:
    """Scheme, host and port, and nothing else that may stand in it."""
    parsed = httpx.URL(url)
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"


def _events() -> Any:
    from wallet_client import events  # noqa: PLC0415 - loaded where somebody wants to be told

    return events


def _refusal(status: int, headers: httpx.Headers, body: bytes) -> ServiceError:
    document: dict[str, Any] = {}
    try:
        document.update(json.loads(body))
    except (ValueError, TypeError, RecursionError):
        document.clear()  # a page, or another kind of JSON
    if not isinstance(document.get("code"), str):
        kind = headers.get("Content-Type") or "no content type"
        document = {"detail": f"Not the service, something before it answered {status} ({kind})"}
    return error_of(document, status, _retries.retry_after_s(headers.get("Retry-After")))
