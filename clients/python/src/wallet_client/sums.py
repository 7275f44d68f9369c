"""The results of ``client.statistics``. A module of its own, so that a program that only moves money does not load it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from wallet_client.models import later


@dataclass(frozen=True, slots=True)
class TypeTotal:
    """The total of one transaction type in one direction."""

    transaction_type: str
    direction: str
    transactions: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class CounterAccountTotal:
    """The total from, or to, one counter account; all transfers between wallets are under ``wallets``."""

    counter_account: str
    direction: str
    transactions: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Flow:
    """The balances before and after a period, and the movements between."""

    opening_balance: Decimal
    closing_balance: Decimal
    credited: Decimal
    debited: Decimal
    transactions: int
    by_type: tuple[TypeTotal, ...]


@dataclass(frozen=True, slots=True)
class Step(Flow):
    """A day or a month, or the part of it that is in the period."""

    from_: datetime
    to: datetime | None


@dataclass(frozen=True, slots=True)
class CurrencyStatistics(Flow):
    """The period in one currency; ``steps`` only if the call had an interval."""

    currency: str
    by_counter_account: tuple[CounterAccountTotal, ...]
    steps: tuple[Step, ...] | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """The totals of a period, by currency."""

    from_: datetime | None
    to: datetime | None
    interval: str | None
    currencies: tuple[CurrencyStatistics, ...]


@dataclass(frozen=True, slots=True)
class WalletStatistics(Statistics):
    """The totals of a wallet."""

    wallet_id: str


@dataclass(frozen=True, slots=True)
class UserStatistics(Statistics):
    """The totals of all wallets of a user: ``currencies`` of the operating ones, ``mirrored`` of the mirrored ones."""

    user_id: str
    mirrored: tuple[CurrencyStatistics, ...] = later(())


@dataclass(frozen=True, slots=True)
class CurrencyStats:
    """The wallets of one currency and keeping: ``operating`` or ``mirrored``."""

    currency: str
    wallets: int
    active: int
    frozen: int
    closed: int
    balance: Decimal
    locked_balance: Decimal
    ledger_entries: int
    keeping: str = later("operating")


@dataclass(frozen=True, slots=True)
class ServiceStats:
    """The wallets of the whole service; only currencies with wallets."""

    at: datetime
    wallets: int
    ledger_entries: int
    currencies: tuple[CurrencyStats, ...]


@dataclass(frozen=True, slots=True)
class TrialBalanceLine:
    """The sum that all wallets hold (``wallets``), or what came from a counter account, with the opposite sign.

    Mirrored wallets stand apart: their lines begin with ``mirrored:``.
    """

    account: str
    balance: Decimal


@dataclass(frozen=True, slots=True)
class TrialBalanceCurrency:
    """The lines of one currency; ``sum`` is 0 in a ledger that balances."""

    currency: str
    lines: tuple[TrialBalanceLine, ...]
    sum: Decimal


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """The lines of every currency."""

    wallets: int
    currencies: tuple[TrialBalanceCurrency, ...]


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency or unit. ``exponent`` is its number of decimals; an amount with more is refused."""

    code: str
    exponent: int
    kind: str
    name: str
