"""Reads successful responses as models.

The models are imported when the first response arrives: they cost as much to load as the rest of the package.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from wallet_client._call import SuccessResponse
from wallet_client._decoding import decoder
from wallet_client._problems import error_of, supersedes_earlier_attempts
from wallet_client._retries import is_of_the_ledger

if TYPE_CHECKING:
    from wallet_client.alerts import Alert, BurnRate
    from wallet_client.billing import BillingSummary, Explanation
    from wallet_client.books import Book, BookWallet, ChangedBook, Label
    from wallet_client.budgets import Budget, BudgetDetails, BudgetProgressList
    from wallet_client.exchange import Converted, PostedConversion, Quote, Rate
    from wallet_client.grants import Grant, GrantSchedule
    from wallet_client.holds import Capture, Hold
    from wallet_client.limits import Limits
    from wallet_client.models import (
        AuditEntry,
        Balance,
        BatchResult,
        Credits,
        Decided,
        Entry,
        Event,
        EventPage,
        EventType,
        File,
        Job,
        Page,
        Posted,
        Refused,
        TestClock,
        Transaction,
        Wallet,
    )
    from wallet_client.parts import ChangedParts, EntryParts, Pair, Part, Undone
    from wallet_client.rates import Meter, RateCard, RateVersion
    from wallet_client.rules import Rule, RuleOrder, RuleTestResult
    from wallet_client.sums import Currency, ServiceStats, TrialBalance, UserStatistics, WalletStatistics
    from wallet_client.top_ups import TopUp, TopUpRule
    from wallet_client.usage import Usage, UsageTotal
    from wallet_client.webhooks import (
        CreatedWebhook,
        Delivery,
        DeliveryWithLog,
        Ping,
        Replayed,
        RotatedSecret,
        WebhookEndpoint,
    )

M = TypeVar("M")


def wallet_of(response: SuccessResponse) -> "Wallet":
    """A wallet."""
    from wallet_client.models import Wallet  # noqa: PLC0415 - see above

    return decoder(Wallet)(response.document)


def wallets_of(response: SuccessResponse) -> "Page[Wallet]":
    """A page of wallets."""
    from wallet_client.models import Wallet  # noqa: PLC0415

    return _page_of(response, Wallet)


def balance_of(response: SuccessResponse) -> "Balance":
    """A balance."""
    from wallet_client.models import Balance  # noqa: PLC0415

    return decoder(Balance)(response.document)


def transaction_of(response: SuccessResponse) -> "Transaction":
    """A transaction."""
    return _transaction(response.document, replayed=response.replayed)


def entries_of(response: SuccessResponse) -> "Page[Entry]":
    """A page of ledger entries."""
    from wallet_client.models import Entry  # noqa: PLC0415

    return _page_of(response, Entry)


def batch_results_of(
    response: SuccessResponse, key: str, operations: Sequence[Mapping[str, Any]]
) -> "list[BatchResult]":
    """The result of each operation of a batch with this idempotency key, in order."""
    return [
        _done(result, operations[index].get("type"), replayed=response.replayed)
        if result["status"] == "posted"
        else _refused(
            result["problem"],
            operations[index].get("idempotency_key", f"{key}/{index}"),
            earlier_attempt_open=response.earlier_attempt_open,
        )
        for index, result in enumerate(response.document["results"])
    ]


def _done(result: Mapping[str, Any], kind: str | None, *, replayed: bool) -> "Posted | Decided":
    """An operation of a batch that was not refused. Grants and holds are in it where they decided it."""
    from wallet_client.grants import Grant  # noqa: PLC0415
    from wallet_client.holds import Hold  # noqa: PLC0415
    from wallet_client.models import Decided, Posted  # noqa: PLC0415

    posted = result["transaction"]
    transaction = None if posted is None else _transaction(posted, replayed=replayed)
    if transaction is not None and "result" not in result:
        return Posted(transaction)
    return Decided(decoder(Grant if kind == "grant" else Hold)(result["result"]), transaction)


def credits_of(response: SuccessResponse) -> "Credits":
    """A user's credits."""
    from wallet_client.models import Credits  # noqa: PLC0415

    return decoder(Credits)(response.document)


def file_of(response: SuccessResponse) -> "File":
    """The description of a file."""
    from wallet_client.models import File  # noqa: PLC0415

    return decoder(File)(response.document)


def events_of(response: SuccessResponse) -> "EventPage":
    """A page of events."""
    from wallet_client.models import EventPage  # noqa: PLC0415

    document = response.document
    items = tuple([event_of(item, None) for item in document["items"]])
    return EventPage(items, document["next_cursor"], document["has_more"])


def event_types_of(response: SuccessResponse) -> "list[EventType]":
    """The types of events."""
    from wallet_client.models import EventType  # noqa: PLC0415

    decode = decoder(EventType)
    return [decode(item) for item in response.document["items"]]


def event_of(document: Mapping[str, Any], cursor: str | None) -> "Event":
    """A CloudEvent; ``cursor``: continues after it."""
    from wallet_client.models import Event, ReadOnly  # noqa: PLC0415

    version = document.get("walletversion")
    return Event(
        id=document["id"],
        type=document["type"],
        source=document["source"],
        subject=document["subject"],
        time=datetime.fromisoformat(document["time"]),
        dataschema=document["dataschema"],
        sequence=int(document["sequence"]),
        wallet_id=document.get("walletid"),
        wallet_version=None if version is None else int(version),
        data=ReadOnly(document["data"]),
        cursor=cursor,
    )


def nothing_of(response: SuccessResponse) -> None:
    """Nothing."""
    del response


def job_of(response: SuccessResponse) -> "Job":
    """A job."""
    from wallet_client.models import Job  # noqa: PLC0415

    return decoder(Job)(response.document)


def jobs_of(response: SuccessResponse) -> "Page[Job]":
    """A page of jobs."""
    from wallet_client.models import Job  # noqa: PLC0415

    return _page_of(response, Job)


def test_clock_of(response: SuccessResponse) -> "TestClock":
    """The test clock."""
    from wallet_client.models import TestClock  # noqa: PLC0415

    return decoder(TestClock)(response.document)


def files_of(response: SuccessResponse) -> "Page[File]":
    """A page of files."""
    from wallet_client.models import File  # noqa: PLC0415

    return _page_of(response, File)


def audit_entries_of(response: SuccessResponse) -> "Page[AuditEntry]":
    """A page of the audit trail."""
    from wallet_client.models import AuditEntry  # noqa: PLC0415

    return _page_of(response, AuditEntry)


def limits_of(response: SuccessResponse) -> "Limits":
    """The limits of a wallet."""
    from wallet_client.limits import Limits  # noqa: PLC0415

    return decoder(Limits)(response.document)


def alert_of(response: SuccessResponse) -> "Alert":
    """An alert."""
    from wallet_client.alerts import Alert  # noqa: PLC0415

    return decoder(Alert)(response.document)


def alerts_of(response: SuccessResponse) -> "Page[Alert]":
    """A page of alerts."""
    from wallet_client.alerts import Alert  # noqa: PLC0415

    return _page_of(response, Alert)


def burn_rate_of(response: SuccessResponse) -> "BurnRate":
    """A burn rate."""
    from wallet_client.alerts import BurnRate  # noqa: PLC0415

    return decoder(BurnRate)(response.document)


def grant_of(response: SuccessResponse) -> "Grant":
    """A grant."""
    from wallet_client.grants import Grant  # noqa: PLC0415

    return decoder(Grant)(response.document)


def grants_of(response: SuccessResponse) -> "Page[Grant]":
    """A page of grants."""
    from wallet_client.grants import Grant  # noqa: PLC0415

    return _page_of(response, Grant)


def grant_schedule_of(response: SuccessResponse) -> "GrantSchedule":
    """A schedule of grants."""
    from wallet_client.grants import GrantSchedule  # noqa: PLC0415

    return decoder(GrantSchedule)(response.document)


def grant_schedules_of(response: SuccessResponse) -> "tuple[GrantSchedule, ...]":
    """All schedules of grants of a wallet."""
    from wallet_client.grants import GrantSchedule  # noqa: PLC0415

    return tuple([decoder(GrantSchedule)(each) for each in response.document["items"]])


def explanation_of(response: SuccessResponse) -> "Explanation":
    """An explanation of a balance."""
    from wallet_client.billing import Explanation  # noqa: PLC0415

    return decoder(Explanation)(response.document)


def billing_summary_of(response: SuccessResponse) -> "BillingSummary":
    """A billing summary."""
    from wallet_client.billing import BillingSummary  # noqa: PLC0415

    return decoder(BillingSummary)(response.document)


def hold_of(response: SuccessResponse) -> "Hold":
    """A hold."""
    from wallet_client.holds import Hold  # noqa: PLC0415

    made = decoder(Hold)(response.document)
    if response.replayed:
        object.__setattr__(made, "replayed", True)  # frozen, and not yet handed out
    return made


def holds_of(response: SuccessResponse) -> "Page[Hold]":
    """A page of holds."""
    from wallet_client.holds import Hold  # noqa: PLC0415

    return _page_of(response, Hold)


def capture_of(response: SuccessResponse) -> "Capture":
    """A payment from a hold."""
    from wallet_client.holds import Capture, Hold  # noqa: PLC0415

    document = response.document
    return Capture(
        decoder(Hold)(document["hold"]), _transaction(document["transaction"], replayed=response.replayed)
    )


def usage_of(response: SuccessResponse) -> "Usage":
    """An event of usage."""
    return _usage(response.document, replayed=response.replayed)


def usage_results_of(response: SuccessResponse) -> "list[Usage | Refused]":
    """The result of each event of a batch, in order."""
    return [
        _usage(result["usage"], replayed=result["replayed"])
        if result["status"] == "accepted"
        else _refused(result["problem"], None, earlier_attempt_open=response.earlier_attempt_open)
        for result in response.document["results"]
    ]


def usage_page_of(response: SuccessResponse) -> "Page[Usage]":
    """A page of events of usage."""
    from wallet_client.usage import Usage  # noqa: PLC0415

    return _page_of(response, Usage)


def usage_totals_of(response: SuccessResponse) -> "Page[UsageTotal]":
    """A page of sums of usage."""
    from wallet_client.usage import UsageTotal  # noqa: PLC0415

    return _page_of(response, UsageTotal)


def _usage(document: Mapping[str, Any], *, replayed: bool) -> "Usage":
    from wallet_client.usage import Usage  # noqa: PLC0415

    made = decoder(Usage)(document)
    if replayed:
        object.__setattr__(made, "replayed", replayed)  # frozen, and not yet handed out
    return made


def meter_of(response: SuccessResponse) -> "Meter":
    """A meter."""
    from wallet_client.rates import Meter  # noqa: PLC0415

    return decoder(Meter)(response.document)


def meters_of(response: SuccessResponse) -> "Page[Meter]":
    """A page of meters."""
    from wallet_client.rates import Meter  # noqa: PLC0415

    return _page_of(response, Meter)


def rate_card_of(response: SuccessResponse) -> "RateCard":
    """A rate card."""
    from wallet_client.rates import RateCard  # noqa: PLC0415

    return decoder(RateCard)(response.document)


def rate_cards_of(response: SuccessResponse) -> "Page[RateCard]":
    """A page of rate cards."""
    from wallet_client.rates import RateCard  # noqa: PLC0415

    return _page_of(response, RateCard)


def rate_version_of(response: SuccessResponse) -> "RateVersion":
    """A version of a rate card."""
    from wallet_client.rates import RateVersion  # noqa: PLC0415

    return decoder(RateVersion)(response.document)


def top_up_rule_of(response: SuccessResponse) -> "TopUpRule":
    """The rule for top-ups of a wallet."""
    from wallet_client.top_ups import TopUpRule  # noqa: PLC0415

    return decoder(TopUpRule)(response.document)


def top_up_of(response: SuccessResponse) -> "TopUp":
    """A top-up."""
    from wallet_client.top_ups import TopUp  # noqa: PLC0415

    return decoder(TopUp)(response.document)


def top_ups_of(response: SuccessResponse) -> "Page[TopUp]":
    """A page of top-ups."""
    from wallet_client.top_ups import TopUp  # noqa: PLC0415

    return _page_of(response, TopUp)


def book_of(response: SuccessResponse) -> "Book":
    """A book."""
    from wallet_client.books import Book  # noqa: PLC0415

    return decoder(Book)(response.document)


def changed_book_of(response: SuccessResponse) -> "ChangedBook":
    """A book after a change."""
    from wallet_client.books import ChangedBook  # noqa: PLC0415

    return decoder(ChangedBook)(response.document)


def books_of(response: SuccessResponse) -> "Page[Book]":
    """A page of books."""
    from wallet_client.books import Book  # noqa: PLC0415

    return _page_of(response, Book)


def rates_of(response: SuccessResponse) -> "Page[Rate]":
    """A page of exchange rates."""
    from wallet_client.exchange import Rate  # noqa: PLC0415

    return _page_of(response, Rate)


def stored_rates_of(response: SuccessResponse) -> "tuple[Rate, ...]":
    """The exchange rates that were set."""
    from wallet_client.exchange import Rate  # noqa: PLC0415

    decode = decoder(Rate)
    return tuple([decode(each) for each in response.document["rates"]])


def converted_of(response: SuccessResponse) -> "Converted":
    """An amount in another currency."""
    from wallet_client.exchange import Converted  # noqa: PLC0415

    return decoder(Converted)(response.document)


def quote_of(response: SuccessResponse) -> "Quote":
    """The price of a conversion."""
    from wallet_client.exchange import Quote  # noqa: PLC0415

    return decoder(Quote)(response.document)


def conversion_of(response: SuccessResponse) -> "PostedConversion":
    """A conversion of money."""
    from wallet_client.exchange import Conversion, PostedConversion  # noqa: PLC0415

    document = response.document
    return PostedConversion(
        decoder(Conversion)(document["conversion"]),
        _transaction(document["transaction"], replayed=response.replayed),
    )


def book_wallet_of(response: SuccessResponse) -> "BookWallet":
    """A wallet of a book."""
    from wallet_client.books import BookWallet  # noqa: PLC0415

    return decoder(BookWallet)(response.document)


def book_wallets_of(response: SuccessResponse) -> "Page[BookWallet]":
    """A page of the wallets of a book."""
    from wallet_client.books import BookWallet  # noqa: PLC0415

    return _page_of(response, BookWallet)


def label_of(response: SuccessResponse) -> "Label":
    """A category, payee or tag."""
    from wallet_client.books import Label  # noqa: PLC0415

    return decoder(Label)(response.document)


def labels_of(response: SuccessResponse) -> "Page[Label]":
    """A page of categories, payees or tags."""
    from wallet_client.books import Label  # noqa: PLC0415

    return _page_of(response, Label)


def parts_of(response: SuccessResponse) -> "Page[Part]":
    """A page of parts."""
    from wallet_client.parts import Part  # noqa: PLC0415

    return _page_of(response, Part)


def entry_parts_of(response: SuccessResponse) -> "EntryParts":
    """An entry with its parts."""
    from wallet_client.parts import EntryParts  # noqa: PLC0415

    return decoder(EntryParts)(response.document)


def changed_parts_of(response: SuccessResponse) -> "ChangedParts":
    """An entry with its parts after a change."""
    from wallet_client.parts import ChangedParts  # noqa: PLC0415

    return decoder(ChangedParts)(response.document)


def document_of(response: SuccessResponse) -> "dict[str, Any]":
    """The JSON object as it came."""
    return dict(response.document)


def undone_of(response: SuccessResponse) -> "Undone":
    """What taking a run back came to."""
    from wallet_client.parts import Undone  # noqa: PLC0415

    return decoder(Undone)(response.document)


def rule_of(response: SuccessResponse) -> "Rule":
    """A rule."""
    from wallet_client.rules import Rule  # noqa: PLC0415

    return decoder(Rule)(response.document)


def rules_of(response: SuccessResponse) -> "Page[Rule]":
    """A page of rules."""
    from wallet_client.rules import Rule  # noqa: PLC0415

    return _page_of(response, Rule)


def rule_order_of(response: SuccessResponse) -> "RuleOrder":
    """The order of rules."""
    from wallet_client.rules import RuleOrder  # noqa: PLC0415

    return decoder(RuleOrder)(response.document)


def rule_test_of(response: SuccessResponse) -> "RuleTestResult":
    """What a rule would do."""
    from wallet_client.rules import RuleTestResult  # noqa: PLC0415

    return decoder(RuleTestResult)(response.document)


def pair_of(response: SuccessResponse) -> "Pair":
    """A pair."""
    from wallet_client.parts import Pair  # noqa: PLC0415

    return decoder(Pair)(response.document)


def pairs_of(response: SuccessResponse) -> "Page[Pair]":
    """A page of pairs."""
    from wallet_client.parts import Pair  # noqa: PLC0415

    return _page_of(response, Pair)


def budget_of(response: SuccessResponse) -> "Budget":
    """A budget."""
    from wallet_client.budgets import Budget  # noqa: PLC0415

    return decoder(Budget)(response.document)


def budgets_of(response: SuccessResponse) -> "Page[Budget]":
    """A page of budgets."""
    from wallet_client.budgets import Budget  # noqa: PLC0415

    return _page_of(response, Budget)


def budget_progress_of(response: SuccessResponse) -> "BudgetProgressList":
    """How far the budgets of a book are."""
    from wallet_client.budgets import BudgetProgressList  # noqa: PLC0415

    return decoder(BudgetProgressList)(response.document)


def budget_details_of(response: SuccessResponse) -> "BudgetDetails":
    """The figures of a budget."""
    from wallet_client.budgets import BudgetDetails  # noqa: PLC0415

    return decoder(BudgetDetails)(response.document)


def webhook_of(response: SuccessResponse) -> "WebhookEndpoint":
    """A webhook endpoint."""
    from wallet_client.webhooks import WebhookEndpoint  # noqa: PLC0415

    return decoder(WebhookEndpoint)(response.document)


def created_webhook_of(response: SuccessResponse) -> "CreatedWebhook":
    """A webhook endpoint with its secret."""
    from wallet_client.webhooks import CreatedWebhook  # noqa: PLC0415

    return decoder(CreatedWebhook)(response.document)


def webhooks_of(response: SuccessResponse) -> "Page[WebhookEndpoint]":
    """A page of webhook endpoints."""
    from wallet_client.webhooks import WebhookEndpoint  # noqa: PLC0415

    return _page_of(response, WebhookEndpoint)


def rotated_secret_of(response: SuccessResponse) -> "RotatedSecret":
    """A new secret of a webhook endpoint."""
    from wallet_client.webhooks import RotatedSecret  # noqa: PLC0415

    return decoder(RotatedSecret)(response.document)


def ping_of(response: SuccessResponse) -> "Ping":
    """How a test event was received."""
    from wallet_client.webhooks import Ping  # noqa: PLC0415

    return decoder(Ping)(response.document)


def deliveries_of(response: SuccessResponse) -> "Page[Delivery]":
    """A page of deliveries."""
    from wallet_client.webhooks import Delivery  # noqa: PLC0415

    return _page_of(response, Delivery)


def delivery_of(response: SuccessResponse) -> "DeliveryWithLog":
    """A delivery with its attempts."""
    from wallet_client.webhooks import DeliveryWithLog  # noqa: PLC0415

    return decoder(DeliveryWithLog)(response.document)


def replayed_of(response: SuccessResponse) -> "Replayed":
    """What is delivered again."""
    from wallet_client.webhooks import Replayed  # noqa: PLC0415

    return decoder(Replayed)(response.document)


def wallet_statistics_of(response: SuccessResponse) -> "WalletStatistics":
    """The totals of a wallet."""
    from wallet_client.sums import WalletStatistics  # noqa: PLC0415

    return decoder(WalletStatistics)(response.document)


def user_statistics_of(response: SuccessResponse) -> "UserStatistics":
    """The totals of a user's wallets."""
    from wallet_client.sums import UserStatistics  # noqa: PLC0415

    return decoder(UserStatistics)(response.document)


def service_stats_of(response: SuccessResponse) -> "ServiceStats":
    """The wallets of the whole service."""
    from wallet_client.sums import ServiceStats  # noqa: PLC0415

    return decoder(ServiceStats)(response.document)


def trial_balance_of(response: SuccessResponse) -> "TrialBalance":
    """The trial balance."""
    from wallet_client.sums import TrialBalance  # noqa: PLC0415

    return decoder(TrialBalance)(response.document)


def currencies_of(response: SuccessResponse) -> "list[Currency]":
    """The currencies."""
    from wallet_client.sums import Currency  # noqa: PLC0415

    decode = decoder(Currency)
    return [decode(item) for item in response.document["items"]]


def _page_of(response: SuccessResponse, model: type[M]) -> "Page[M]":
    from wallet_client.models import Page  # noqa: PLC0415

    decode = decoder(model)
    return Page(
        tuple([decode(item) for item in response.document["items"]]), response.document["next_cursor"]
    )


def _transaction(document: Mapping[str, Any], *, replayed: bool) -> "Transaction":
    from wallet_client.models import Transaction  # noqa: PLC0415

    made = decoder(Transaction)(document)
    if replayed:
        object.__setattr__(made, "replayed", replayed)  # frozen, and not yet handed out
    return made


def _refused(problem: Mapping[str, Any], key: str | None, *, earlier_attempt_open: bool) -> "Refused":
    from wallet_client.models import Refused  # noqa: PLC0415

    error = error_of(problem)
    error.earlier_attempt_open = earlier_attempt_open and not supersedes_earlier_attempts(problem)
    error.outcome_unknown = error.earlier_attempt_open and not is_of_the_ledger(error)
    error.idempotency_key = key
    return Refused(error)
