"""Requests and responses of totals and currencies."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from wallet_service.core.fields import By, Timestamp
from wallet_service.core.money import AmountText
from wallet_service.ledger.operation_types import Direction, TransactionType
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

    transaction_type: TransactionType
    direction: Direction
    transactions: int
    amount: AmountText


class CounterAccountTotal(BaseModel):
    """The total of one counter account in one direction. All transfers between wallets count as ``wallets``."""

    counter_account: str
    direction: Direction
    transactions: int
    amount: AmountText


class Flow(BaseModel):
    """Opening and closing balance, and the totals between them."""

    opening_balance: AmountText
    closing_balance: AmountText
    credited: AmountText
    debited: AmountText
    transactions: int
    by_type: list[TypeTotal]


class Step(Flow):
    """A day or a month, or the part of it that is in the period. ``to`` is null where the period is open."""

    from_: AwareDatetime = Field(alias="from")
    to: AwareDatetime | None


class CurrencyStatistics(Flow):
    """The period in one currency. Without an interval, ``steps`` is null."""

    currency: str
    by_counter_account: list[CounterAccountTotal]
    steps: list[Step] | None


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
_WALLET_ID = "0199d0a8-0000-7000-8000-0000000000aa"


class Statistics(BaseModel):
    """Totals of a period, by currency."""

    from_: AwareDatetime | None = Field(alias="from")
    to: AwareDatetime | None
    interval: Interval | None
    currencies: list[CurrencyStatistics]


class WalletStatistics(Statistics):
    """Totals of a wallet in a period."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"wallet_id": _WALLET_ID} | _STATISTICS]})

    wallet_id: UUID


class UserStatistics(Statistics):
    """Totals of all wallets of a user in a period."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_id": "user-1"} | _STATISTICS]})

    user_id: str


class CurrencyStats(BaseModel):
    """Counts and sums of the operating or of the mirrored wallets of one currency."""

    currency: str
    keeping: Keeping
    wallets: int
    active: int
    frozen: int
    closed: int
    balance: AmountText
    locked_balance: AmountText
    ledger_entries: int


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

    at: AwareDatetime
    wallets: int
    ledger_entries: int
    currencies: list[CurrencyStats]


class TrialBalanceLine(BaseModel):
    """The sum of all wallets (``wallets``), or with the opposite sign the sum of a counter account.

    Mirrored wallets, which hold no money of this service, have lines of their own: ``mirrored:…``. All transfers
    between wallets are one line, ``transfers``. It is 0, except for transfers that were committed during the read.
    """

    account: str
    balance: AmountText


class TrialBalanceCurrency(BaseModel):
    """The lines of one currency. Their sum is "0" in a ledger that balances."""

    currency: str
    lines: list[TrialBalanceLine]
    sum: AmountText


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
                                {"account": "wallets", "balance": "100.000000"},
                            ],
                            "sum": "0",
                        }
                    ],
                }
            ]
        }
    )

    wallets: int
    currencies: list[TrialBalanceCurrency]


class Currency(BaseModel):
    """A currency. An amount with more decimals than ``exponent`` is refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"code": "JPY", "exponent": 0, "kind": "fiat", "name": "Japanese Yen"}]
        }
    )

    code: str
    exponent: int
    kind: Literal["fiat", "crypto", "credit"]
    name: str


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

    items: list[Currency]
    next_cursor: None
