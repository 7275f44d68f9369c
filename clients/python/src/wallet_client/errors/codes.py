"""An error for each code of a refusal, below the one for its status."""

from datetime import datetime
from decimal import Decimal

from wallet_client.errors.statuses import (
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    PaymentRequired,
    PreconditionFailed,
    ServerError,
    ServiceUnavailable,
    Unprocessable,
)
from wallet_client.money import read_or_none


class MalformedRequest(BadRequest):
    """The request can't be read."""

    code = "malformed_request"


class IdempotencyKeyConflict(BadRequest):
    """Header and body name different keys."""

    code = "idempotency_key_conflict"


class InsufficientFunds(PaymentRequired):
    """The available balance and the credit limit of ``wallet_id`` together are less than the amount."""

    code = "insufficient_funds"

    @property
    def shortfall(self) -> Decimal:
        """The missing amount, in ``currency``; 0 if the service does not name it."""
        return read_or_none(self.facts.get("shortfall")) or Decimal(0)

    @property
    def currency(self) -> str | None:
        """The wallet's currency; None if the service does not name it."""
        return self.facts.get("currency")


class WalletNotFound(NotFound):
    """The wallet does not exist, or the caller may not see it."""

    code = "wallet_not_found"


class TransactionNotFound(NotFound):
    """The transaction does not exist, or the caller may not see it."""

    code = "transaction_not_found"


class FileNotFound(NotFound):
    """The file does not exist, has expired, or belongs to another owner."""

    code = "file_not_found"


class CursorExpired(Gone):
    """The events after the cursor are no longer all kept; ``oldest_cursor`` continues with the oldest one."""

    code = "cursor_expired"

    @property
    def oldest_cursor(self) -> str | None:
        """The cursor before the oldest event."""
        cursor = self.facts.get("oldest_cursor")
        return cursor if isinstance(cursor, str) else None


class JobNotFound(NotFound):
    """The job does not exist, was removed some time after its end, or belongs to another user."""

    code = "job_not_found"


class JobStatus(Conflict):
    """The status of the job forbids this: it runs, or has succeeded."""

    code = "job_status"


class FileQuotaExceeded(Conflict):
    """The caller's files would be larger than its quota. Nothing was stored."""

    code = "file_quota_exceeded"


class WebhookNotFound(NotFound):
    """The webhook endpoint does not exist, was deleted, or belongs to another client."""

    code = "webhook_not_found"


class DeliveryNotFound(NotFound):
    """The event was not for the webhook endpoint, or its delivery was removed some days after its end."""

    code = "delivery_not_found"


class AlertNotFound(NotFound):
    """The wallet has no such alert."""

    code = "alert_not_found"


class AlertNotOwn(Forbidden):
    """The alert was set by the other side (``set_by``): the operator, or the owner."""

    code = "alert_not_own"


class AlertLimit(Conflict):
    """The wallet has as many alerts of this side as it may have."""

    code = "alert_limit"


class GrantNotFound(NotFound):
    """There is no such grant, or the caller may not see its wallet."""

    code = "grant_not_found"


class GrantScheduleNotFound(NotFound):
    """The wallet has no such grant schedule."""

    code = "grant_schedule_not_found"


class GrantEnded(Conflict):
    """The grant has ended, or nothing is left of it that is not reserved."""

    code = "grant_ended"


class GrantLimit(Conflict):
    """The wallet has as many live grants as it may have."""

    code = "grant_limit"


class GrantScheduleLimit(Conflict):
    """The wallet has as many grant schedules as it may have."""

    code = "grant_schedule_limit"


class GrantsNotUsable(PaymentRequired):
    """The balance of ``wallet_id`` is high enough, but too much of it is in grants that can't pay this."""

    code = "grants_not_usable"

    @property
    def shortfall(self) -> Decimal:
        """The missing amount; 0 if the service does not name it."""
        return read_or_none(self.facts.get("shortfall")) or Decimal(0)

    @property
    def not_usable(self) -> Decimal:
        """What is in grants that can't pay it; 0 if the service does not name it."""
        return read_or_none(self.facts.get("not_usable")) or Decimal(0)


class HoldNotFound(NotFound):
    """The hold does not exist, or the caller may not see it."""

    code = "hold_not_found"


class HoldEnded(Conflict):
    """The hold was captured, voided, or has expired. ``facts`` has its ``state``."""

    code = "hold_ended"


class HoldExceeded(Conflict):
    """A capture is higher than what the hold still keeps."""

    code = "hold_exceeded"

    @property
    def remaining(self) -> Decimal:
        """What the hold still keeps; 0 if the service does not name it."""
        return read_or_none(self.facts.get("remaining")) or Decimal(0)

    @property
    def excess(self) -> Decimal:
        """By how much the capture is higher; 0 if the service does not name it."""
        return read_or_none(self.facts.get("excess")) or Decimal(0)


class HoldLimit(Conflict):
    """The wallet has as many open holds as it may have."""

    code = "hold_limit"


class LimitExceeded(Conflict):
    """A debit, or a hold, would exceed a limit of ``wallet_id``.

    ``facts`` has which one: ``limit_id``, ``set_by``, ``period``, ``counter_account``, ``limit_amount``, ``used``,
    ``reserved``.
    """

    code = "limit_exceeded"

    @property
    def remaining(self) -> Decimal:
        """The most that a debit may be now, as far as this limit goes; 0 if the service does not name it."""
        return read_or_none(self.facts.get("remaining")) or Decimal(0)

    @property
    def resets_at(self) -> datetime | None:
        """The earliest moment at which the same debit fits, if nothing else is spent; None: waiting does not help."""
        moment = self.facts.get("resets_at")
        return datetime.fromisoformat(moment) if isinstance(moment, str) else None


class MeterNotFound(NotFound):
    """There is no meter of this name."""

    code = "meter_not_found"


class MeterExists(Conflict):
    """There is a meter of this name already."""

    code = "meter_exists"


class RateCardNotFound(NotFound):
    """There is no such rate card, or it has no such version."""

    code = "rate_card_not_found"


class RateCardOverlap(Conflict):
    """Another rate card of the meter and the currency is in force at the same time: ``rate_card_id`` of ``facts``."""

    code = "rate_card_overlap"


class RateVersionOverlap(Conflict):
    """A version must begin after the versions before it."""

    code = "rate_version_overlap"


class RateCardEnded(Conflict):
    """The rate card has ended, and can't be changed any more."""

    code = "rate_card_ended"


class RateVersionLimit(Conflict):
    """The rate card has as many versions as it may have."""

    code = "rate_version_limit"


class PriceNotFound(Unprocessable):
    """No rate card is in force at the moment of the event, or it has no price for the event's dimensions."""

    code = "price_not_found"


class TimestampRefused(Unprocessable):
    """The event is from the future, or too old for its meter: ``facts`` has ``earliest`` and ``latest``."""

    code = "timestamp_refused"


class UsageEventConflict(Conflict):
    """An event with this id was accepted before, with other content."""

    code = "usage_event_conflict"


class UsageNotFound(NotFound):
    """There is no such event of usage, or the caller may not see its wallet."""

    code = "usage_not_found"


class TopUpRuleNotFound(NotFound):
    """The wallet has no rule for top-ups."""

    code = "top_up_rule_not_found"


class TopUpNotFound(NotFound):
    """There is no such top-up, or the caller may not see its wallet."""

    code = "top_up_not_found"


class TopUpUnderWay(Conflict):
    """A top-up of the wallet, ``top_up_id`` in ``facts``, has not ended. The wallet has one at a time."""

    code = "top_up_under_way"


class BookNotFound(NotFound):
    """There is no such book, the user or organization has none yet, or the caller may not see it."""

    code = "book_not_found"


class BookExists(Conflict):
    """The user or organization has a book; ``book_id`` names it."""

    code = "book_exists"

    @property
    def book_id(self) -> str | None:
        """The book; None if the service does not name it."""
        return self.facts.get("book_id")


class PartsUnbalanced(Unprocessable):
    """The amounts of the parts don't sum to the entry."""

    code = "parts_unbalanced"


class EntryNotFound(NotFound):
    """The book has no such entry, or the caller may not see it."""

    code = "entry_not_found"


class EntryPending(ServiceUnavailable):
    """The book has not read the entry yet: soon it has."""

    code = "entry_pending"


class RunNotFound(NotFound):
    """The run does not exist, or the caller may not see its book."""

    code = "run_not_found"


class PairNotFound(NotFound):
    """The pair does not exist, or the caller may not see its book."""

    code = "pair_not_found"


class RuleNotFound(NotFound):
    """The rule does not exist, or the caller may not see its book."""

    code = "rule_not_found"


class RuleLimit(Conflict):
    """The book has as many rules as it may have."""

    code = "rule_limit"


class RulesChanged(Conflict):
    """An order names other rules than the book has."""

    code = "rules_changed"


class PairExists(Conflict):
    """One of the entries is in another pair; ``pair_id`` names it."""

    code = "pair_exists"

    @property
    def pair_id(self) -> str | None:
        """The other pair; None if the service does not name it."""
        return self.facts.get("pair_id")


class LabelNotFound(NotFound):
    """There is no such category, payee or tag, or the caller may not see its book."""

    code = "label_not_found"


class LabelExists(Conflict):
    """Another label has the name under the same parent; ``label_id`` names it."""

    code = "label_exists"

    @property
    def label_id(self) -> str | None:
        """The other label; None if the service does not name it."""
        return self.facts.get("label_id")


class LabelCycle(Conflict):
    """The label would be under itself."""

    code = "label_cycle"


class LabelDepth(Conflict):
    """The tree of labels would have more levels than it may."""

    code = "label_depth"


class LabelFixed(Conflict):
    """The category is a root: Income, Expense or Transfer."""

    code = "label_fixed"


class LabelMerged(Conflict):
    """The label was merged into another one, ``merged_into``, and can't be changed."""

    code = "label_merged"


class LabelInUse(Conflict):
    """Something uses the label: merge or archive it."""

    code = "label_in_use"

    @property
    def uses(self) -> dict[str, int]:
        """What uses it, and how often."""
        return dict(self.facts.get("uses") or {})


class BudgetNotFound(NotFound):
    """There is no such budget, or the caller may not see its book."""

    code = "budget_not_found"


class BudgetLimit(Conflict):
    """The book has as many budgets as it may."""

    code = "budget_limit"


class WebhookLimit(Conflict):
    """There are as many webhook endpoints of the client, or valid secrets of the endpoint, as there may be."""

    code = "webhook_limit"


class WalletExists(Conflict):
    """The user already has an open wallet of this type, currency and name; ``wallet_id`` names it."""

    code = "wallet_exists"


class WalletFrozen(Conflict):
    """A frozen wallet refuses debits."""

    code = "wallet_frozen"


class WalletClosed(Conflict):
    """A closed wallet refuses debits, credits and changes."""

    code = "wallet_closed"


class WalletNotEmpty(Conflict):
    """Only a wallet with zero balance and nothing locked can be closed."""

    code = "wallet_not_empty"


class CreditLimitInUse(Conflict):
    """The balance is further below zero than the new limit allows."""

    code = "credit_limit_in_use"


class CurrencyMismatch(Conflict):
    """The two wallets of a transfer hold different currencies."""

    code = "currency_mismatch"


class BalanceLimit(Conflict):
    """A balance has at most 20 digits before the point."""

    code = "balance_limit"


class RefundExceeds(Conflict):
    """The amount is more than what is not yet refunded."""

    code = "refund_exceeds"

    @property
    def refundable(self) -> Decimal | None:
        """The amount that is not yet refunded, in the transaction's currency; None if the service does not name it."""
        return read_or_none(self.facts.get("refundable"))


class NotRefundable(Conflict):
    """A refund, an adjustment or an exchange can't be refunded."""

    code = "not_refundable"


class TestClockMissing(Conflict):
    """The service's database has no clock that can be set."""

    code = "test_clock_missing"
    __test__ = False  # pytest does not collect it


class BalanceUnchanged(Conflict):
    """The wallet already has the balance to which it would be adjusted."""

    code = "balance_unchanged"


class WalletMirrored(Conflict):
    """A mirrored wallet has no such operation, and none together with operating wallets; ``wallet_id`` names it."""

    code = "wallet_mirrored"


class TransactionSuperseded(Conflict):
    """A late attempt of an operation that was refused in a later attempt."""

    code = "transaction_superseded"


class BatchAborted(Conflict):
    """Refused only because another operation of the same atomic batch was refused."""

    code = "batch_aborted"


class VersionMismatch(PreconditionFailed):
    """The wallet or webhook endpoint has another version than ``if_version``."""

    code = "version_mismatch"

    @property
    def version(self) -> int | None:
        """The present version."""
        return self.facts.get("version")


class ValidationFailed(Unprocessable):
    """The request can be read, and values are not acceptable. ``errors`` has the values and reasons."""

    code = "validation_failed"

    def __str__(self) -> str:
        """The message of every refusal, which names the first value that is not acceptable."""
        match self.errors:  # pyright: ignore[reportMatchNotExhaustive]  # nothing to add otherwise
            case [{"in": place, "pointer": pointer, "detail": detail}, *_] if str(detail) not in self.detail:
                return f"{super().__str__()}: {place} {pointer}: {detail}"
        return super().__str__()


class AmountInvalid(Unprocessable):
    """Not a positive decimal number of at most 20 digits before the point."""

    code = "amount_invalid"


class AmountPrecision(Unprocessable):
    """More decimals than the currency has. Amounts are never rounded."""

    code = "amount_precision"

    @property
    def currency(self) -> str | None:
        """The currency; None if the service does not name it."""
        return self.facts.get("currency")

    @property
    def exponent(self) -> int | None:
        """How many decimals an amount in ``currency`` may have; None if the service does not name it."""
        return self.facts.get("exponent")


class CurrencyUnknown(Unprocessable):
    """The currency is not in the list of currencies."""

    code = "currency_unknown"

    @property
    def currency(self) -> str | None:
        """The currency that is unknown; None if the service does not name it."""
        return self.facts.get("currency")

    @property
    def closest(self) -> str | None:
        """The currency with the most similar code; None if there is no similar one."""
        return self.facts.get("closest")


class SameWallet(Unprocessable):
    """A transfer from a wallet to itself."""

    code = "same_wallet"


class EntriesUnbalanced(Unprocessable):
    """Two wallets name each other in the entries of an operation, and their amounts don't add up to zero."""

    code = "entries_unbalanced"


class IdempotencyKeyReused(Unprocessable):
    """The key was used for another request: with other arguments, or for another call."""

    code = "idempotency_key_reused"


class UserUnknown(Unprocessable):
    """The account service does not know the user, so no wallet is created."""

    code = "user_unknown"


class OrganizationUnknown(Unprocessable):
    """The organization service does not know the organization."""

    code = "organization_unknown"


class InternalError(ServerError):
    """A fault of the service. ``request_id`` identifies it in the service's log."""

    code = "internal_error"


class Unavailable(ServiceUnavailable):
    """The database can't be reached, or did not respond in time. The call was done completely or not at all."""

    code = "unavailable"


class Overloaded(ServiceUnavailable):
    """The service has more waiting work than it accepts. Nothing was done."""

    code = "overloaded"


class WalletBusy(ServiceUnavailable):
    """Another session locked the wallet for longer than a request may wait. Nothing was done."""

    code = "wallet_busy"


class FileIncomplete(Unprocessable):
    """The content arrived otherwise than it was sent. Nothing was stored."""

    code = "file_incomplete"


class VaultUnavailable(ServiceUnavailable):
    """The service has no key to encrypt or decrypt with: its operator has to set it. Nothing was done."""

    code = "vault_unavailable"


class UpstreamUnavailable(ServiceUnavailable):
    """An upstream service that has to be asked first is unavailable. Nothing was done."""

    code = "upstream_unavailable"


class RateMissing(Conflict):
    """There is no exchange rate of the day. ``facts`` has ``from`` and ``to``."""

    code = "rate_missing"


class RateStale(Conflict):
    """The newest exchange rate is too old to convert money that the service keeps. ``facts`` has ``rated_on``."""

    code = "rate_stale"


class QuoteNotFound(NotFound):
    """There is no such quote, or it is another caller's."""

    code = "quote_not_found"


class QuoteExpired(Conflict):
    """The quote held until ``expires_at``."""

    code = "quote_expired"


class ConversionOff(Forbidden):
    """The service does not convert money of operating wallets."""

    code = "conversion_off"
