"""AsyncWalletClient."""

import copy
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import httpx

from wallet_client._async.alerts import AsyncAlertsResource
from wallet_client._async.audit import AsyncAuditResource
from wallet_client._async.billing import AsyncBillingResource
from wallet_client._async.books import AsyncBooksResource
from wallet_client._async.budgets import AsyncBudgetsResource
from wallet_client._async.credits import AsyncCreditsResource
from wallet_client._async.events import AsyncEventsResource
from wallet_client._async.exchange import AsyncExchangeResource
from wallet_client._async.files import AsyncFilesResource
from wallet_client._async.grants import AsyncGrantSchedulesResource, AsyncGrantsResource
from wallet_client._async.holds import AsyncHoldsResource
from wallet_client._async.jobs import AsyncJobsResource
from wallet_client._async.labels import AsyncCategoriesResource, AsyncPayeesResource, AsyncTagsResource
from wallet_client._async.limits import AsyncLimitsResource
from wallet_client._async.metered_hold import AsyncMeteredHold
from wallet_client._async.parts import AsyncPairsResource, AsyncPartsResource
from wallet_client._async.rates import AsyncMetersResource, AsyncRateCardsResource
from wallet_client._async.rules import AsyncRulesResource
from wallet_client._async.runner import AsyncRunner
from wallet_client._async.shortcuts import AsyncShortcuts
from wallet_client._async.statistics import AsyncStatisticsResource
from wallet_client._async.test_clock import AsyncTestClockResource
from wallet_client._async.top_ups import AsyncTopUpsResource
from wallet_client._async.transactions import AsyncTransactionsResource
from wallet_client._async.usage import AsyncUsageResource
from wallet_client._async.wallets import AsyncWalletsResource
from wallet_client._async.webhooks import AsyncWebhooksResource
from wallet_client._call import Id
from wallet_client._consul import instances
from wallet_client._context import Context
from wallet_client._endpoints import Discovery, FixedEndpoint
from wallet_client._options import CallOptions, Options, from_environment
from wallet_client.metrics import Metrics
from wallet_client.money import Amount

if TYPE_CHECKING:
    from wallet_client.holds import Overage

_NO_RUNNER: Any = None


class AsyncWalletClient(AsyncShortcuts):
    """Calls the wallet service; for asyncio code. Tasks and event loops may share it.

    Create one client and keep it, since it holds a pool of connections; close it at the end.
    Each event loop, and each process after a fork, has connections of its own.

    Attributes:
        wallets: create, read, change and close wallets.
        transactions: move money, and read transactions.
        credits: a user's credits, by user id.
        events: what was posted and changed, in one order: pages, and a stream.
        files: upload, download and delete files.
        jobs: work in the background: progress, outcome, retry, cancel.
        grants: credits with a source, a priority, an end and a price.
        grant_schedules: credits each month.
        billing: why a balance is what it is, and what finance needs of a period.
        holds: amounts that are kept for payments.
        limits: what wallets may spend.
        alerts: lines of wallets' balances, and how fast they are spent.
        meters: what is measured.
        rate_cards: what usage of a meter costs.
        usage: events of usage, which are priced and posted.
        top_ups: charges that fill wallets, now and by rules.
        books: whose money is kept together, in which currency, time zone and calendar.
        exchange: exchange rates of days, and conversions by them.
        categories: what the money of a book is for.
        payees: the persons and companies that a book pays, or is paid by.
        tags: free labels of a book.
        parts: what the entries of a book were for.
        pairs: a debit and a credit of two wallets that are one transfer.
        rules: what sets labels and notes of parts by conditions.
        budgets: what may be spent in each period, what is left, and what is carried over.
        webhooks: endpoints to which events are delivered.
        test_clock: set the ledger's clock, where the service allows that.
        statistics: totals of periods, and the currencies.
        audit: who changed what, and who read another person's data.
    """

    # Also on the class, so that unittest.mock.create_autospec finds the methods. Each client has resources of its own.
    wallets: AsyncWalletsResource = AsyncWalletsResource(_NO_RUNNER)
    transactions: AsyncTransactionsResource = AsyncTransactionsResource(_NO_RUNNER)
    credits: AsyncCreditsResource = AsyncCreditsResource(_NO_RUNNER)
    events: AsyncEventsResource = AsyncEventsResource(_NO_RUNNER)
    files: AsyncFilesResource = AsyncFilesResource(_NO_RUNNER)
    jobs: AsyncJobsResource = AsyncJobsResource(_NO_RUNNER)
    grants: AsyncGrantsResource = AsyncGrantsResource(_NO_RUNNER)
    grant_schedules: AsyncGrantSchedulesResource = AsyncGrantSchedulesResource(_NO_RUNNER)
    billing: AsyncBillingResource = AsyncBillingResource(_NO_RUNNER)
    holds: AsyncHoldsResource = AsyncHoldsResource(_NO_RUNNER)
    limits: AsyncLimitsResource = AsyncLimitsResource(_NO_RUNNER)
    alerts: AsyncAlertsResource = AsyncAlertsResource(_NO_RUNNER)
    meters: AsyncMetersResource = AsyncMetersResource(_NO_RUNNER)
    rate_cards: AsyncRateCardsResource = AsyncRateCardsResource(_NO_RUNNER)
    usage: AsyncUsageResource = AsyncUsageResource(_NO_RUNNER)
    top_ups: AsyncTopUpsResource = AsyncTopUpsResource(_NO_RUNNER)
    webhooks: AsyncWebhooksResource = AsyncWebhooksResource(_NO_RUNNER)
    books: AsyncBooksResource = AsyncBooksResource(_NO_RUNNER)
    exchange: AsyncExchangeResource = AsyncExchangeResource(_NO_RUNNER)
    categories: AsyncCategoriesResource = AsyncCategoriesResource(_NO_RUNNER)
    payees: AsyncPayeesResource = AsyncPayeesResource(_NO_RUNNER)
    tags: AsyncTagsResource = AsyncTagsResource(_NO_RUNNER)
    parts: AsyncPartsResource = AsyncPartsResource(_NO_RUNNER)
    pairs: AsyncPairsResource = AsyncPairsResource(_NO_RUNNER)
    rules: AsyncRulesResource = AsyncRulesResource(_NO_RUNNER)
    budgets: AsyncBudgetsResource = AsyncBudgetsResource(_NO_RUNNER)
    test_clock: AsyncTestClockResource = AsyncTestClockResource(_NO_RUNNER)
    statistics: AsyncStatisticsResource = AsyncStatisticsResource(_NO_RUNNER)
    audit: AsyncAuditResource = AsyncAuditResource(_NO_RUNNER)

    def __init__(
        self,
        base_url: str | Discovery | None = None,
        *,
        api_key: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Create a client. Nothing is sent yet.

        Args:
            base_url: the address of the service, such as ``https://wallet.example``, without ``/api/v1``; or an object
                that finds it (see ``from_consul``); default: the environment variable WALLET_URL.
            api_key: a key ``wsk_…``, or a user's token; default: the environment variable WALLET_API_KEY.
            transport: sends the requests instead of a connection pool of the client; it is closed with the client.
                It belongs to the event loop and process that use it first.
            options: see ``Options``.

        Raises:
            TypeError: an option does not exist, or has the wrong type.
            ValueError: the address, the key or an option can't be used, or the address or the key is nowhere.
        """
        found = base_url or from_environment("base_url", "WALLET_URL")
        endpoints = FixedEndpoint(found) if isinstance(found, str) else found
        key = from_environment("api_key", "WALLET_API_KEY") if api_key is None else api_key
        context = Context(endpoints, key, options)
        # Imported here, so that a program loads only what its kind of client needs.
        from wallet_client._async_io import AsyncSender  # noqa: PLC0415

        self._use(AsyncRunner(context, AsyncSender(context, transport)))

    @classmethod
    def from_consul(
        cls,
        consul_url: str = "http://127.0.0.1:8500",
        *,
        api_key: str | None = None,
        service: str = "wallet_service",
        scheme: str = "http",
        token: str | None = None,
        refresh_s: float = 10.0,
        **options: Unpack[Options],
    ) -> Self:
        """Create a client that finds the service through Consul. Nothing is sent yet. Needs the extra ``consul``.

        Calls go to the healthy instances in turn. An instance that fails is skipped for a few seconds.

        Args:
            consul_url: the address of the Consul agent.
            api_key: a key ``wsk_…``, or a user's token; default: the environment variable WALLET_API_KEY.
            service: the name under which the service is registered.
            scheme: ``http`` or ``https``, which the instances expect.
            token: the token for Consul; default: CONSUL_HTTP_TOKEN.
            refresh_s: seconds after which the list of instances is fetched again.
            options: see ``Options``.

        Raises:
            ImportError: the extra is not installed.
            TypeError: an option does not exist, or has the wrong type.
            ValueError: an address, the key or an option can't be used, or there is no key.
        """
        key = from_environment("api_key", "WALLET_API_KEY") if api_key is None else api_key
        endpoints = instances(consul_url, service, scheme, token, refresh_s)
        return cls(endpoints, api_key=key, **options)

    @property
    def metrics(self) -> Metrics:
        """Counts this client's calls, retries and errors; ``metrics.snapshot()`` returns them."""
        return self._runner.context.metrics

    def with_options(self, **options: Unpack[CallOptions]) -> Self:
        """This client with other options for its calls.

        It shares the connections, counters and hooks with this client, and is closed with it.

        Raises:
            TypeError, ValueError: an option does not exist, or its value can't be used.
        """
        made = copy.copy(self)
        made._use(self._runner.with_options(options))  # noqa: SLF001 - of its own class
        return made

    def metered_hold(
        self,
        wallet_id: Id,
        estimate: Amount,
        *,
        step: Amount | None = None,
        expires_in_s: int = 600,
        counter_account: str | None = None,
        overage: "Overage" = "take_available",
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> AsyncMeteredHold:
        """A hold for a job whose cost is known only while it runs, as a context manager.

        Nothing is sent before its block begins.

        Args:
            wallet_id: the wallet that pays.
            estimate: what the job will cost, as far as it is known; the hold begins with it.
            step: cost is captured when so much of it has come; default: a tenth of the estimate.
            expires_in_s: seconds after which the hold expires if nothing is added; it is extended on the way.
            counter_account: what it pays; default ``revenue:usage``.
            overage: at the end, what to do with cost above what the hold keeps; see ``holds.capture``.
            reference: the caller's own name for the hold.
            metadata: a JSON object, at most 16 KiB, of the hold.

        Raises:
            TypeError, ValueError: an amount can't be sent, such as a float.
        """
        return AsyncMeteredHold(
            self.holds,
            wallet_id,
            estimate,
            step=step,
            expires_in_s=expires_in_s,
            counter_account=counter_account,
            overage=overage,
            reference=reference,
            metadata=metadata,
        )

    async def aclose(self) -> None:
        """Close the connections. Later calls raise ClientClosed."""
        await self._runner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _use(self, runner: AsyncRunner) -> None:
        self._runner = runner
        self.wallets = AsyncWalletsResource(runner)
        self.transactions = AsyncTransactionsResource(runner)
        self.credits = AsyncCreditsResource(runner)
        self.events = AsyncEventsResource(runner)
        self.files = AsyncFilesResource(runner)
        self.jobs = AsyncJobsResource(runner)
        self.grants = AsyncGrantsResource(runner)
        self.grant_schedules = AsyncGrantSchedulesResource(runner)
        self.billing = AsyncBillingResource(runner)
        self.holds = AsyncHoldsResource(runner)
        self.limits = AsyncLimitsResource(runner)
        self.alerts = AsyncAlertsResource(runner)
        self.meters = AsyncMetersResource(runner)
        self.rate_cards = AsyncRateCardsResource(runner)
        self.usage = AsyncUsageResource(runner)
        self.top_ups = AsyncTopUpsResource(runner)
        self.webhooks = AsyncWebhooksResource(runner)
        self.books = AsyncBooksResource(runner)
        self.exchange = AsyncExchangeResource(runner)
        self.categories = AsyncCategoriesResource(runner)
        self.payees = AsyncPayeesResource(runner)
        self.tags = AsyncTagsResource(runner)
        self.parts = AsyncPartsResource(runner)
        self.pairs = AsyncPairsResource(runner)
        self.rules = AsyncRulesResource(runner)
        self.budgets = AsyncBudgetsResource(runner)
        self.test_clock = AsyncTestClockResource(runner)
        self.statistics = AsyncStatisticsResource(runner)
        self.audit = AsyncAuditResource(runner)
