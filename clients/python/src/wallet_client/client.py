"""The client for code that waits."""

import time
from types import TracebackType
from typing import Self, TypeVar, Unpack

import httpx

from wallet_client._call import Call
from wallet_client._consul import instances
from wallet_client._core import Core, FixedPlace, Options, Places
from wallet_client._flat import FlatCalls
from wallet_client._method import SyncShell
from wallet_client._plan import Plan
from wallet_client.errors import UnexpectedAnswer
from wallet_client.metrics import Metrics
from wallet_client.resources.credits import CreditsResource
from wallet_client.resources.statistics import Statistics
from wallet_client.resources.transactions import Transactions
from wallet_client.resources.wallets import Wallets

T = TypeVar("T")


class WalletClient(SyncShell, FlatCalls):
    """Calls the wallet service; threads may share it. Make it once, for it holds a pool of connections.

    Attributes:
        wallets: make, read, change, close.
        transactions: move money, and see what was moved.
        credits: a user's credits.
        statistics: sums over what was posted.
        metrics: ``metrics.snapshot()`` tells of its calls.
    """

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
            ValueError: the address or the key can't be used.
        """
        places = FixedPlace(base_url) if isinstance(base_url, str) else base_url
        self._core = Core(places, api_key, options)
        self._http = httpx.Client(
            transport=transport,
            limits=self._core.limits,
        )
        self.wallets = Wallets[SyncShell](self)
        self.transactions = Transactions[SyncShell](self)
        self.credits = CreditsResource[SyncShell](self)
        self.statistics = Statistics[SyncShell](self)

    @classmethod
    def from_consul(
        cls,
        consul_url: str = "http://127.0.0.1:8500",
        *,
        api_key: str,
        service: str = "wallet_service",
        scheme: str = "http",
        token: str | None = None,
        refresh_s: float = 10.0,
        **options: Unpack[Options],
    ) -> Self:
        """A client that finds the service through Consul. Nothing is sent yet. Needs ``wallet-client[consul]``.

        Its calls go to the healthy instances in turn; one that fails is left out for a while, at once.

        Args:
            consul_url: where the Consul agent is.
            api_key: a key ``wsk_…``, or a user's token.
            service: the name under which the service is registered.
            scheme: ``http`` or ``https``, as the instances speak.
            token: Consul's; default: CONSUL_HTTP_TOKEN.
            refresh_s: how old the list of instances may be.
            options: see ``Options``.

        Raises:
            ImportError: the extra is not installed.
            ValueError: an address or the key can't be used.
        """
        places = instances(consul_url, service, scheme, token, refresh_s)
        return cls(places, api_key=api_key, **options)

    @property
    def metrics(self) -> Metrics:
        """What is counted of its calls."""
        return self._core.metrics

    def run(self, call: Call[T]) -> T:
        """Carry out a call, with as many tries as it takes and may."""
        places = self._core.places
        with self._core.plan(call) as plan:
            while True:
                if places.missing():
                    places.load()
                wait_s = self._try(plan)
                if wait_s is None:
                    return plan.result
                time.sleep(wait_s)

    def _try(self, plan: Plan[T]) -> float | None:
        request = plan.request()
        if request is None:
            return plan.nowhere()
        try:
            response = self._http.send(request, stream=True)
            try:
                body = plan.body()
                for part in response.iter_bytes():
                    body.add(part)
            finally:
                response.close()
        except (httpx.RequestError, UnexpectedAnswer) as error:
            return plan.failed(error)
        return plan.answered(response.status_code, response.headers, body.whole())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
