"""Requests and responses of totals and currencies."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from wallet_service.core.fields import By, Timestamp
from wallet_service.core.money import AmountText
from wallet_service.ledger.operation_types import Direction, TransactionType
from wallet_service.money.examples import USER_ID, WALLET_ID
from wallet_service.money.schemas import Keeping
from wallet_service.money.wallet_statistics.repository import Period

Interval = Literal["day", "month"]


class NoQuery(BaseModel):
    """A query without parameters: every parameter is refused."""

    model_config = ConfigDict(extra="forbid")


class PeriodQuery(BaseModel):
    """The period of the totals."""

    model_config = ConfigDict(extra="forbid")

    by: By = "posted"
    from_: Timestamp | None = Field(
        default=None, alias="from", description="Entries of this moment or later."
    )
    to: Timestamp | None = Field(default=None, description="Entries before this moment.")
    interval: Interval | None = Field(
        default=None,
        description="Adds totals of each day or month, in UTC. Needs `from`. At most 366 steps.",
    )

    def period(self) -> Period:
        """The period in the form that the repository takes."""
        return Period(self.from_, self.to, self.interval, self.by)


class TypeTotal(BaseModel):
    """The total of one operation type in one direction."""

    transaction_type: TransactionType = Field(description="The operation type.")
    direction: Direction = Field(description="`credit` raised the balance, `debit` lowered it.")
    transactions: int = Field(description="The number of entries.")
    amount: AmountText = Field(description="The sum of their amounts.")


class CounterAccountTotal(BaseModel):
    """The total of one counter account in one direction. All transfers between wallets count as ``wallets``."""

    counter_account: str = Field(description="The counter account, or `wallets` for all transfers.")
    direction: Direction = Field(description="`credit` raised the balance, `debit` lowered it.")
    transactions: int = Field(description="The number of entries.")
    amount: AmountText = Field(description="The sum of their amounts.")


class Flow(BaseModel):
    """Opening and closing balance, and the totals between them."""

    opening_balance: AmountText = Field(description="The balance at the start of the period.")
    closing_balance: AmountText = Field(description="The balance at its end.")
    credited: AmountText = Field(description="The sum of all credits in the period.")
    debited: AmountText = Field(description="The sum of all debits in the period.")
    transactions: int = Field(description="The number of entries in the period.")
    by_type: list[TypeTotal] = Field(description="Totals by operation type and direction.")


class Step(Flow):
    """A day or a month, or the part of it that is in the period. ``to`` is null where the period is open."""

    from_: AwareDatetime = Field(alias="from", description="The start of the step, included.")
    to: AwareDatetime | None = Field(
        description="The end of the step, not included. Null where the period is open."
    )


class CurrencyStatistics(Flow):
    """The period in one currency. Without an interval, ``steps`` is null."""

    currency: str = Field(description="The currency of the amounts.")
    by_counter_account: list[CounterAccountTotal] = Field(
        description="Totals by counter account and direction."
    )
    steps: list[Step] | None = Field(description="Each day or month of the period. Null without `interval`.")


_TOTAL: dict[str, Any] = {"direction": "debit", "transactions": 1, "amount": "2.500000"}
_STATISTICS: dict[str, Any] = {
    "from": "2026-01-01T00:00:00.000000Z",
    "to": None,
    "interval": None,
    "currencies": [
        {
            "currency": "CREDIT",
            "opening_balance": "100.000000",
            "closing_balance": "97.500000",
            "credited": "0.000000",
            "debited": "2.500000",
            "transactions": 1,
            "by_type": [{"transaction_type": "consume", **_TOTAL}],
            "by_counter_account": [{"counter_account": "revenue:usage", **_TOTAL}],
            "steps": None,
        }
    ],
}


class Statistics(BaseModel):
    """Totals of a period, by currency."""

    from_: AwareDatetime | None = Field(
        alias="from", description="The start of the period, included. Null if it is open."
    )
    to: AwareDatetime | None = Field(description="The end of the period, not included. Null if it is open.")
    interval: Interval | None = Field(description="The length of the steps. Null without steps.")
    currencies: list[CurrencyStatistics] = Field(description="The totals of each currency.")


class WalletStatistics(Statistics):
    """Totals of a wallet in a period."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"wallet_id": WALLET_ID} | _STATISTICS]})

    wallet_id: UUID = Field(description="The wallet.")


class UserStatistics(Statistics):
    """Totals of all wallets of a user in a period. ``currencies`` has those of operating wallets."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user_id": USER_ID} | _STATISTICS | {"mirrored": []}]}
    )

    user_id: str = Field(description="The user.")
    mirrored: list[CurrencyStatistics] = Field(
        description="The totals of each currency of mirrored wallets, which are not in `currencies`."
    )


class CurrencyStats(BaseModel):
    """Counts and sums of the operating or of the mirrored wallets of one currency."""

    currency: str = Field(description="The currency.")
    keeping: Keeping = Field(description="Whether these are operating or mirrored wallets.")
    wallets: int = Field(description="The number of wallets.")
    active: int = Field(description="The number of active wallets.")
    frozen: int = Field(description="The number of frozen wallets.")
    closed: int = Field(description="The number of closed wallets.")
    balance: AmountText = Field(description="The sum of their balances.")
    locked_balance: AmountText = Field(description="The sum of their locked balances.")
    ledger_entries: int = Field(description="The number of their entries.")


class ServiceStats(BaseModel):
    """Counts and sums of all wallets. Only currencies that have wallets are listed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "at": "2026-01-02T03:04:05.678901Z",
                    "wallets": 1,
                    "ledger_entries": 2,
                    "currencies": [
                        {
                            "currency": "CREDIT",
                            "keeping": "operating",
                            "wallets": 1,
                            "active": 1,
                            "frozen": 0,
                            "closed": 0,
                            "balance": "97.500000",
                            "locked_balance": "0.000000",
                            "ledger_entries": 2,
                        }
                    ],
                }
            ]
        }
    )

    at: AwareDatetime = Field(description="The moment of the totals.")
    wallets: int = Field(description="The number of wallets.")
    ledger_entries: int = Field(description="The number of entries.")
    currencies: list[CurrencyStats] = Field(description="The totals of each currency that has wallets.")


class TrialBalanceLine(BaseModel):
    """The sum of all wallets (``wallets``), or with the opposite sign the sum of a counter account.

    Mirrored wallets, which hold no money of this service, have lines of their own: ``mirrored:…``. All transfers
    between wallets are one line, ``transfers``. It is 0, except for transfers that were committed during the read.
    """

    account: str = Field(description="`wallets`, `transfers`, or the name of a counter account.")
    balance: AmountText = Field(description="Its sum. That of a counter account has the opposite sign.")


class TrialBalanceCurrency(BaseModel):
    """The lines of one currency. Their sum is "0" in a ledger that balances."""

    currency: str = Field(description="The currency.")
    lines: list[TrialBalanceLine] = Field(description="The sum of the wallets and of each counter account.")
    sum: AmountText = Field(description="The sum of the lines: `0` in a ledger that balances.")


class TrialBalance(BaseModel):
    """The trial balance of every currency."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "wallets": 1,
                    "currencies": [
                        {
                            "currency": "CREDIT",
                            "lines": [
                                {"account": "external:deposits", "balance": "-100.000000"},
                                {"account": "revenue:usage", "balance": "2.500000"},
                                {"account": "wallets", "balance": "97.500000"},
                            ],
                            "sum": "0",
                        }
                    ],
                }
            ]
        }
    )

    wallets: int = Field(description="The number of wallets.")
    currencies: list[TrialBalanceCurrency] = Field(description="The lines of each currency.")


class Currency(BaseModel):
    """A currency. An amount with more decimals than ``exponent`` is refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"code": "JPY", "exponent": 0, "kind": "fiat", "name": "Japanese Yen"}]
        }
    )

    code: str = Field(description="As wallets name it.")
    exponent: int = Field(description="The number of decimals of an amount.")
    kind: Literal["fiat", "crypto", "credit"] = Field(description="Money, a cryptocurrency, or credits.")
    name: str = Field(description="The name in English.")


class CurrencyPage(BaseModel):
    """All currencies; there is one page."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [{"code": "JPY", "exponent": 0, "kind": "fiat", "name": "Japanese Yen"}],
                    "next_cursor": None,
                }
            ]
        }
    )

    items: list[Currency] = Field(description="The currencies.")
    next_cursor: None = Field(description="Always null.")
