"""FakeWallet: wallets, movements, refunds and batches in memory, as a transport of httpx."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple, TypeAlias, Unpack

import httpx

from wallet_client import AsyncWalletClient, Options, WalletClient
from wallet_client.keys import new_key
from wallet_client.testing.endpoints import answer
from wallet_client.testing.ledger import Ledger
from wallet_client.testing.problems import STATUSES, Refusal
from wallet_client.testing.values import dumps, text_of

URL = "http://wallet"
API_KEY = "wsk_fake"
GATEWAY_STATUSES = (502, 504)
RATE_LIMIT = {"scope": "client", "limit": 1000, "window_s": 60}

Failure: TypeAlias = int | type[Exception] | Exception


class Call(NamedTuple):
    """A request that FakeWallet received; its status is None if an exception was raised instead of a response."""

    method: str
    path: str
    body: bytes
    idempotency_key: str | None
    status: int | None


class FakeWallet(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Wallets, movements, refunds and batches in memory, by the rules of the service.

    It takes the place of the network, so the client is the real one: ``FakeWallet().client()``, or
    ``WalletClient("http://wallet", api_key="x", transport=fake)``. Threads and tasks may share it. Any API key is
    accepted, as one that may do everything. A list comes in one page. Every other request raises
    NotInFakeWallet, whose message explains how to use the real service.

    Args:
        client_id: the ``client_id`` of every ledger entry.
        clock: returns the present moment, with an offset from UTC; by default the real one.

    Attributes:
        calls: every request so far, retries included, in order.
        has_no_connections: so the clients that share it may be in several event loops.
    """

    has_no_connections = True

    def __init__(
        self, *, client_id: str = "fake", clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._ledger = Ledger(clock, client_id)
        self._lock = threading.Lock()
        self._failures: list[Callable[[httpx.Request], httpx.Response]] = []
        self.calls: list[Call] = []

    def client(self, **options: Unpack[Options]) -> WalletClient:
        """A client of this wallet."""
        return WalletClient(URL, api_key=API_KEY, transport=self, **options)

    def async_client(self, **options: Unpack[Options]) -> AsyncWalletClient:
        """The same for asyncio."""
        return AsyncWalletClient(URL, api_key=API_KEY, transport=self, **options)

    def balance(self, user_id: str, currency: str = "CREDIT") -> Decimal:
        """The sum of a user's wallets in a currency."""
        with self._lock:
            wallets = self._ledger.wallets_of(user_id)
            units = sum(wallet.balance for wallet in wallets if wallet.currency == currency)
            return Decimal(text_of(units, currency))

    def fail_next(
        self, what: Failure, times: int = 1, *, after: bool = False, retry_after_s: int | None = None
    ) -> None:
        """Let the next requests fail.

        Args:
            what: a status, returned with a problem of the service (503: ``unavailable``) or, for 502 and 504, with
                a gateway's page; or an exception of httpx, such as ``httpx.ConnectError``.
            times: how many requests.
            after: whether the request is carried out before it fails: its response is lost.
            retry_after_s: sent as ``Retry-After``; without it there is no such header, so that tests don't wait.
        """
        if isinstance(what, int) and what not in (*STATUSES.values(), *GATEWAY_STATUSES):
            raise ValueError(f"no problem of the service has the status {what}")
        with self._lock:
            self._failures += [partial(self._fail, what, after, retry_after_s)] * times

    def stop_failing(self) -> None:
        """Remove the failures that have not happened yet."""
        with self._lock:
            self._failures.clear()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Respond to a request of a sync client."""
        request.read()
        return self._answer(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Respond to a request of an async client, without a pause."""
        await request.aread()
        return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        status: int | None = None
        with self._lock:
            respond = self._failures.pop(0) if self._failures else self._carry_out
            try:
                response = respond(request)
                status = response.status_code
            finally:
                key = request.headers.get("Idempotency-Key")
                self.calls.append(Call(request.method, request.url.path, request.content, key, status))
        return response

    def _carry_out(self, request: httpx.Request) -> httpx.Response:
        try:
            return answer(self._ledger, request)
        except Refusal as refusal:
            return _problem(refusal)

    def _fail(
        self, what: Failure, after: bool, retry_after_s: int | None, request: httpx.Request
    ) -> httpx.Response:
        if after:
            self._carry_out(request)
        if isinstance(what, Exception):
            raise what
        if isinstance(what, type):
            raise what("a failure that the test asked for")
        if what in GATEWAY_STATUSES:
            return httpx.Response(what, html="<p>The gateway got no response</p>")
        code = next(code for code, status in STATUSES.items() if status == what)
        response = _problem(Refusal(code, **(RATE_LIMIT if code == "rate_limited" else {})))
        if retry_after_s is not None:
            response.headers["Retry-After"] = str(retry_after_s)
        return response


def _problem(refusal: Refusal) -> httpx.Response:
    request_id = new_key()
    named = {"instance": f"urn:wallet:request:{request_id}", "request_id": request_id}
    content = dumps(refusal.document() | named).encode()
    headers = {"Content-Type": "application/problem+json"}
    return httpx.Response(refusal.status, headers=headers, content=content)
