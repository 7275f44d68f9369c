"""The client for code that awaits."""

from types import TracebackType
from typing import Self, TypeVar, Unpack

import httpx

from wallet_client._attempts import Plan
from wallet_client._call import Call
from wallet_client._configured import Configured
from wallet_client._context import Core, FixedPlace, Places
from wallet_client._flat import FlatCalls
from wallet_client._method import AsyncShell
from wallet_client._options import Options
from wallet_client.errors import UnexpectedAnswer
from wallet_client.resources.credits import CreditsResource
from wallet_client.resources.statistics import Statistics
from wallet_client.resources.transactions import Transactions
from wallet_client.resources.wallets import Wallets

T = TypeVar("T")


class AsyncWalletClient(AsyncShell, Configured, FlatCalls):
    """Calls the wallet service; tasks of one event loop may share it. Make it once, for it holds a pool of connections.

    Attributes:
        wallets: make, read, change, close.
        transactions: move money, and see what was moved.
        credits: a user's credits.
        statistics: sums over what was posted.
        metrics: ``metrics.snapshot()`` tells of its calls.
    """

    # Of the class, for those who make a mock of it; each client has its own.
    wallets = Wallets[AsyncShell](AsyncShell())
    transactions = Transactions[AsyncShell](AsyncShell())
    credits = CreditsResource[AsyncShell](AsyncShell())
    statistics = Statistics[AsyncShell](AsyncShell())

    def __init__(
        self,
        base_url: str | Places,
        *,
        api_key: str,
        transport: httpx.AsyncBaseTransport | None = None,
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
        self._http = httpx.AsyncClient(
            transport=transport,
            limits=self._core.limits,
        )
        # Here, for it is a third of what this package costs to load, and not for whoever only waits.
        from wallet_client import _async_io  # noqa: PLC0415

        self._sending = _async_io
        self._sender = _async_io.Sender(self._http, self._core.connections)
        self._make_resources()

    def _make_resources(self) -> None:
        self.wallets = Wallets[AsyncShell](self)
        self.transactions = Transactions[AsyncShell](self)
        self.credits = CreditsResource[AsyncShell](self)
        self.statistics = Statistics[AsyncShell](self)

    async def run(self, call: Call[T]) -> T:
        """Carry out a call, with as many tries as it takes and may."""
        places = self._core.places
        with Plan(self._core, call) as plan:
            while True:
                if places.missing():
                    await self._sending.wait_for(places.load(), plan.left_s)
                wait_s = await self._try(plan)
                if wait_s is None:
                    return plan.result
                await self._sending.sleep(wait_s)

    async def _try(self, plan: Plan[T]) -> float | None:
        if self._http.is_closed:
            raise plan.closed()
        try:
            answer = await self._sender.send(plan)
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

    async def aclose(self) -> None:
        """Close the connections. Calls raise ClientClosed from now on."""
        await self._sender.aclose()
        await self._http.aclose()
        self._core.places.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
