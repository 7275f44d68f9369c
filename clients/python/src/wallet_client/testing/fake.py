"""FakeWallet: the service in memory, as a transport of httpx."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Unpack
from urllib.parse import unquote

import httpx

from wallet_client import AsyncWalletClient, Options, WalletClient
from wallet_client.testing import callers, reading, wire
from wallet_client.testing.problems import KINDS, Refusal
from wallet_client.testing.store import Store
from wallet_client.testing.values import dumps, text_of

URL = "http://wallet"
API_KEY = "wsk_fake"

_SAFE_ID = re.compile(r"[A-Za-z0-9._~:+/=@-]{1,128}")
_FROM_GATEWAYS = (502, 504)
_A_LIMIT = {"scope": "client", "limit": 1000, "window_s": 60}


@dataclass(frozen=True, slots=True)
class Call:
    """A request that FakeWallet was sent.

    Attributes:
        method: as in HTTP.
        path: below the base URL, without the query.
        query: the query as it was sent.
        headers: by their names in lower case.
        body: as it was sent; b"" without one.
        status: of the answer; None where an exception took its place.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    status: int | None

    @property
    def idempotency_key(self) -> str | None:
        """The header of that name."""
        return self.headers.get("idempotency-key")


@dataclass(frozen=True, slots=True)
class _Failure:
    what: int | type[Exception] | Exception
    after: bool
    retry_after_s: int | None


class FakeWallet(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The wallet service in memory: what it answers is what the service answers.

    It takes the place of the network, so the client is the real one: ``FakeWallet().client()``, or
    ``WalletClient("http://wallet", api_key="x", transport=fake)``. Threads and tasks may share it. Any key is
    accepted, as one with every scope; a JWT is a user's token, whoever signed it. Imports and histories as CSV, which no
    client has a call for, are not there, and a page of a filtered list is never short before its end, as the
    service's may be after 10,000 rows.

    Args:
        client_id: whose the keys are: ``client_id`` of what is posted.
    """

    def __init__(self, *, client_id: str = "fake") -> None:
        self._lock = threading.Lock()
        self._moment: datetime | None = None
        self._store = Store(self.now, client_id)
        self._failures: list[_Failure] = []
        self._calls: list[Call] = []

    # Clients

    def client(self, *, user_id: str | None = None, **options: Unpack[Options]) -> WalletClient:
        """A client of this wallet: of a service, or with ``user_id`` of this user, who sees and spends what is theirs."""
        return WalletClient(URL, api_key=self._key(user_id), transport=self, **options)

    def async_client(self, *, user_id: str | None = None, **options: Unpack[Options]) -> AsyncWalletClient:
        """The same for asyncio."""
        return AsyncWalletClient(URL, api_key=self._key(user_id), transport=self, **options)

    def token(self, user_id: str) -> str:
        """A token of this user for ``api_key``. Any JWT with ``sub`` and ``exp`` is one, whoever signed it."""
        return callers.token_of(user_id)

    def _key(self, user_id: str | None) -> str:
        return API_KEY if user_id is None else self.token(user_id)

    # For tests

    @property
    def calls(self) -> list[Call]:
        """Every request so far, retries included, in order."""
        with self._lock:
            return list(self._calls)

    def balance(self, user_id: str, currency: str = "CREDIT") -> Decimal:
        """What all wallets of a user hold in a currency."""
        with self._lock:
            wallets = [each for each in self._store.of_user(user_id) if each.currency.code == currency]
            if not wallets:
                return Decimal(0)
            exponent = wallets[0].currency.exponent
            return Decimal(text_of(sum(each.balance for each in wallets), exponent))

    def fail_next(
        self,
        what: int | type[Exception] | Exception,
        times: int = 1,
        *,
        after: bool = False,
        retry_after_s: int | None = None,
    ) -> None:
        """Let the next requests fail.

        Args:
            what: a status, answered as the service's problem (503: ``unavailable``) or, for 502 and 504, as a
                gateway's page; or an exception of httpx, such as ``httpx.ConnectError``.
            times: how many requests.
            after: whether the request is carried out before it fails: the answer is lost.
            retry_after_s: sent as ``Retry-After``; without it there is no such header, so that tests don't wait.
        """
        if isinstance(what, int) and what not in _FROM_GATEWAYS:
            wire.code_of_status(what)
        with self._lock:
            self._failures += [_Failure(what, after, retry_after_s)] * times

    def stop_failing(self) -> None:
        """Forget the failures that are still to come."""
        with self._lock:
            self._failures.clear()

    def now(self) -> datetime:
        """The moment that the wallet's clock shows."""
        return datetime.now(UTC) if self._moment is None else self._moment

    def set_time(self, moment: datetime | None) -> None:
        """Stop the wallet's clock at this moment; None lets it show the real time again."""
        if moment is not None and moment.tzinfo is None:
            raise ValueError("a moment needs its offset from UTC")
        self._moment = moment

    def advance(self, by: timedelta) -> None:
        """Let the clock go on by so much, and stop there."""
        self._moment = self.now() + by

    def check(self) -> None:
        """Check the books.

        Raises:
            AssertionError: a balance is not the sum of its rows, or a currency does not sum to zero.
        """
        with self._lock:
            reading.check(self._store)

    # httpx

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        request.read()
        return self._answer(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; nothing here waits."""
        await request.aread()
        return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._lock:
            failure = self._failures.pop(0) if self._failures else None
            response: httpx.Response | Exception | None = None
            if failure is None or failure.after:
                response = self._carried_out(request, headers)
            if failure is not None:
                response = _failed(failure, request)
            status = response.status_code if isinstance(response, httpx.Response) else None
            path, query = _target(request)
            self._calls.append(Call(request.method, path, query, headers, request.content, status))
        if isinstance(response, httpx.Response):
            return response
        assert response is not None  # noqa: S101 - one of both was done
        raise response

    def _carried_out(self, request: httpx.Request, headers: Mapping[str, str]) -> httpx.Response:
        path, query = _target(request)
        given = headers.get("x-request-id", "")
        request_id = given if _SAFE_ID.fullmatch(given) else self._store.new_id()
        common = {
            "x-request-id": request_id,
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
        }
        try:
            answer = wire.answer(self._store, request.method, path, query, headers, request.content)
        except Refusal as refusal:
            return _problem(refusal, request_id, refusal.kind.retry_after_s, common)
        content = dumps(answer.document).encode()
        sent = {"content-type": "application/json", **answer.headers, **common}
        return httpx.Response(answer.status, headers=sent, content=content)


def _target(request: httpx.Request) -> tuple[str, str]:
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    return unquote(path), query


def _problem(
    refusal: Refusal, request_id: str, retry_after_s: int | None, common: Mapping[str, str]
) -> httpx.Response:
    headers = {"content-type": "application/problem+json", **common}
    if retry_after_s is not None:
        headers["retry-after"] = str(retry_after_s)
    if refusal.code == "unauthorized":
        headers["www-authenticate"] = "Bearer"
    content = dumps(refusal.document(request_id)).encode()
    return httpx.Response(KINDS[refusal.code].status, headers=headers, content=content)


def _failed(failure: _Failure, request: httpx.Request) -> httpx.Response | Exception:
    what = failure.what
    if isinstance(what, int):
        if what in _FROM_GATEWAYS:
            page = b"<html><body>The gateway got no answer</body></html>"
            return httpx.Response(what, headers={"content-type": "text/html"}, content=page)
        code = wire.code_of_status(what)
        refusal = Refusal(code, **(_A_LIMIT if code == "rate_limited" else {}))
        return _problem(refusal, "made-up-failure", failure.retry_after_s, {})
    if isinstance(what, Exception):
        return what
    if issubclass(what, httpx.RequestError):
        return what("made up by a test", request=request)
    return what("made up by a test")
