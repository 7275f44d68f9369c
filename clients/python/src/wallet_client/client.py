"""The client for code that waits."""

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

import httpx

from wallet_client._attempts import Body, Plan
from wallet_client._call import Call
from wallet_client._configured import Configured
from wallet_client._context import Core, FixedPlace, Places
from wallet_client._deadline import within
from wallet_client._flat import FlatCalls
from wallet_client._method import SyncShell
from wallet_client._options import Options
from wallet_client.errors import UnexpectedAnswer
from wallet_client.resources.credits import CreditsResource
from wallet_client.resources.statistics import Statistics
from wallet_client.resources.transactions import Transactions
from wallet_client.resources.wallets import Wallets

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


def _wait_for(future: "Future[None]", longest_s: float) -> None:
    """Wait until a thread has done it, or for so long."""
    from concurrent.futures import wait  # noqa: PLC0415 - only who uses Consul needs it

    wait([future], longest_s)


class WalletClient(SyncShell, Configured, FlatCalls):
    """Calls the wallet service; threads may share it. Make it once, for it holds a pool of connections.

    Attributes:
        wallets: make, read, change, close.
        transactions: move money, and see what was moved.
        credits: a user's credits.
        statistics: sums over what was posted.
        metrics: ``metrics.snapshot()`` tells of its calls.
    """

    # Of the class, for those who make a mock of it; each client has its own.
    wallets = Wallets[SyncShell](SyncShell())
    transactions = Transactions[SyncShell](SyncShell())
    credits = CreditsResource[SyncShell](SyncShell())
    statistics = Statistics[SyncShell](SyncShell())

    def __init__(
        self,
        base_url: str | Places,
        *,
        api_key: str,
        transport: httpx.BaseTransport | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Nothing is sent yet.

        Args:
            base_url: where the service is, such as ``https://wallet.example``, without ``/api/v1``;
                or what finds it.
            api_key: a key ``wsk_…``, or a user's token.
            transport: what sends instead of a pool of its own; it is closed with the client.
            options: see ``Options``.

        Raises:
            TypeError: an option that there is not, or not of its kind.
            ValueError: the address, the key or an option can't be used.
        """
        places = FixedPlace(base_url) if isinstance(base_url, str) else base_url
        self._core = Core(places, api_key, options)
        self._http = httpx.Client(transport=transport, limits=self._core.limits)
        if transport is None:
            from wallet_client._transport import hold_to_deadline  # noqa: PLC0415 - loads what httpx sends with

            hold_to_deadline(self._http)
        self._free = threading.BoundedSemaphore(self._core.connections)
        self._make_resources()

    def _make_resources(self) -> None:
        self.wallets = Wallets[SyncShell](self)
        self.transactions = Transactions[SyncShell](self)
        self.credits = CreditsResource[SyncShell](self)
        self.statistics = Statistics[SyncShell](self)

    def run(self, call: Call[T]) -> T:
        """Carry out a call, with as many tries as it takes and may."""
        places = self._core.places
        with Plan(self._core, call) as plan:
            while True:
                if places.missing():
                    _wait_for(places.load(), plan.left_s)
                wait_s = self._try(plan)
                if wait_s is None:
                    return plan.result
                time.sleep(wait_s)

    def _try(self, plan: Plan[T]) -> float | None:
        if self._http.is_closed:
            raise plan.closed()
        try:
            answer = self._send(plan)
        except (httpx.RequestError, UnexpectedAnswer) as error:
            return plan.failed(error)
        except RuntimeError:
            if self._http.is_closed:  # while it waited for its turn
                raise plan.closed() from None
            raise
        if answer is None:
            return plan.nowhere()
        response, body = answer
        return plan.answered(response.status_code, response.headers, body)

    def _send(self, plan: Plan[T]) -> tuple[httpx.Response, bytes] | None:
        if not self._free.acquire(timeout=plan.room_s):
            raise httpx.PoolTimeout("all connections are in use")
        try:
            request = plan.request()
            if request is None:
                return None
            with within(plan.try_s):
                return self._exchange(request, plan.body())
        finally:
            self._free.release()

    def _exchange(self, request: httpx.Request, body: Body) -> tuple[httpx.Response, bytes]:
        response = self._http.send(request, stream=True)
        try:
            for part in response.iter_bytes():
                body.add(part)
        finally:
            response.close()
        return response, body.whole()

    def close(self) -> None:
        """Close the connections. Calls raise ClientClosed from now on."""
        self._http.close()
        self._core.places.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
