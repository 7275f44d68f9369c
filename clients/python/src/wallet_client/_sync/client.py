# Generated from wallet_client/_async/client.py by scripts/unasync. Change that file, and run scripts/unasync.
"""WalletClient."""

import copy
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import httpx

from wallet_client._call import Id
from wallet_client._consul import instances
from wallet_client._context import Context
from wallet_client._endpoints import Discovery, FixedEndpoint
from wallet_client._options import CallOptions, Options, from_environment
from wallet_client._sync.alerts import AlertsResource
from wallet_client._sync.audit import AuditResource
from wallet_client._sync.billing import BillingResource
from wallet_client._sync.books import BooksResource
from wallet_client._sync.budgets import BudgetsResource
from wallet_client._sync.credits import CreditsResource
from wallet_client._sync.events import EventsResource
from wallet_client._sync.exchange import ExchangeResource
from wallet_client._sync.files import FilesResource
from wallet_client._sync.grants import GrantSchedulesResource, GrantsResource
from wallet_client._sync.holds import HoldsResource
from wallet_client._sync.jobs import JobsResource
from wallet_client._sync.labels import CategoriesResource, PayeesResource, TagsResource
from wallet_client._sync.limits import LimitsResource
from wallet_client._sync.metered_hold import MeteredHold
from wallet_client._sync.parts import PairsResource, PartsResource
from wallet_client._sync.rates import MetersResource, RateCardsResource
from wallet_client._sync.rules import RulesResource
from wallet_client._sync.runner import Runner
from wallet_client._sync.shortcuts import Shortcuts
from wallet_client._sync.statistics import StatisticsResource
from wallet_client._sync.test_clock import TestClockResource
from wallet_client._sync.top_ups import TopUpsResource
from wallet_client._sync.transactions import TransactionsResource
from wallet_client._sync.usage import UsageResource
from wallet_client._sync.wallets import WalletsResource
from wallet_client._sync.webhooks import WebhooksResource
from wallet_client.metrics import Metrics
from wallet_client.money import Amount

if TYPE_CHECKING:
    from wallet_client.holds import Overage

_NO_RUNNER: Any = None


class WalletClient(Shortcuts):
    """Calls the wallet service. Threads may share it.

    Create one client and keep it, since it holds a pool of connections; close it at the end.
    Each process has connections of its own, also after a fork.

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
    wallets: WalletsResource = WalletsResource(_NO_RUNNER)
    transactions: TransactionsResource = TransactionsResource(_NO_RUNNER)
    credits: CreditsResource = CreditsResource(_NO_RUNNER)
    events: EventsResource = EventsResource(_NO_RUNNER)
    files: FilesResource = FilesResource(_NO_RUNNER)
    jobs: JobsResource = JobsResource(_NO_RUNNER)
    grants: GrantsResource = GrantsResource(_NO_RUNNER)
    grant_schedules: GrantSchedulesResource = GrantSchedulesResource(_NO_RUNNER)
    billing: BillingResource = BillingResource(_NO_RUNNER)
    holds: HoldsResource = HoldsResource(_NO_RUNNER)
    limits: LimitsResource = LimitsResource(_NO_RUNNER)
    alerts: AlertsResource = AlertsResource(_NO_RUNNER)
    meters: MetersResource = MetersResource(_NO_RUNNER)
    rate_cards: RateCardsResource = RateCardsResource(_NO_RUNNER)
    usage: UsageResource = UsageResource(_NO_RUNNER)
    top_ups: TopUpsResource = TopUpsResource(_NO_RUNNER)
    webhooks: WebhooksResource = WebhooksResource(_NO_RUNNER)
    books: BooksResource = BooksResource(_NO_RUNNER)
    exchange: ExchangeResource = ExchangeResource(_NO_RUNNER)
    categories: CategoriesResource = CategoriesResource(_NO_RUNNER)
    payees: PayeesResource = PayeesResource(_NO_RUNNER)
    tags: TagsResource = TagsResource(_NO_RUNNER)
    parts: PartsResource = PartsResource(_NO_RUNNER)
    pairs: PairsResource = PairsResource(_NO_RUNNER)
    rules: RulesResource = RulesResource(_NO_RUNNER)
    budgets: BudgetsResource = BudgetsResource(_NO_RUNNER)
    test_clock: TestClockResource = TestClockResource(_NO_RUNNER)
    statistics: StatisticsResource = StatisticsResource(_NO_RUNNER)
    audit: AuditResource = AuditResource(_NO_RUNNER)

    def __init__(
        self,
        base_url: str | Discovery | None = None,
        *,
        api_key: str | None = None,
        transport: httpx.BaseTransport | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Create a client. Nothing is sent yet.

        Args:
            base_url: the address of the service, such as ``https://wallet.example``, without ``/api/v1``; or an object
                that finds it (see ``from_consul``); default: the environment variable WALLET_URL.
            api_key: a key ``wsk_…``, or a user's token; default: the environment variable WALLET_API_KEY.
            transport: sends the requests instead of a connection pool of the client; it is closed with the client.
                It belongs to the process that uses it first.
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
        from wallet_client._sync_io import Sender  # noqa: PLC0415

        self._use(Runner(context, Sender(context, transport)))

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
    ) -> MeteredHold:
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
        return MeteredHold(
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

    def close(self) -> None:
        """Close the connections. Later calls raise ClientClosed."""
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _use(self, runner: Runner) -> None:
        self._runner = runner
        self.wallets = WalletsResource(runner)
        self.transactions = TransactionsResource(runner)
        self.credits = CreditsResource(runner)
        self.events = EventsResource(runner)
        self.files = FilesResource(runner)
        self.jobs = JobsResource(runner)
        self.grants = GrantsResource(runner)
        self.grant_schedules = GrantSchedulesResource(runner)
        self.billing = BillingResource(runner)
        self.holds = HoldsResource(runner)
        self.limits = LimitsResource(runner)
        self.alerts = AlertsResource(runner)
        self.meters = MetersResource(runner)
        self.rate_cards = RateCardsResource(runner)
        self.usage = UsageResource(runner)
        self.top_ups = TopUpsResource(runner)
        self.webhooks = WebhooksResource(runner)
        self.books = BooksResource(runner)
        self.exchange = ExchangeResource(runner)
        self.categories = CategoriesResource(runner)
        self.payees = PayeesResource(runner)
        self.tags = TagsResource(runner)
        self.parts = PartsResource(runner)
        self.pairs = PairsResource(runner)
        self.rules = RulesResource(runner)
        self.budgets = BudgetsResource(runner)
        self.test_clock = TestClockResource(runner)
        self.statistics = StatisticsResource(runner)
        self.audit = AuditResource(runner)
