"""What the service answers about sums. Apart, so that who only moves money does not load it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class TypeTotal:
    """What was posted of one type in one direction."""

    transaction_type: str
    direction: str
    transactions: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class CounterAccountTotal:
    """What came from, or went to, one counter account; transfers between wallets are one: ``wallets``."""

    counter_account: str
    direction: str
    transactions: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Flow:
    """Balances before and after, and what was between."""

    opening_balance: Decimal
    closing_balance: Decimal
    credited: Decimal
    debited: Decimal
    transactions: int
    by_type: tuple[TypeTotal, ...]


@dataclass(frozen=True, slots=True)
class Step(Flow):
    """A day or a month, or what of it is in the period."""

    from_: datetime
    to: datetime | None


@dataclass(frozen=True, slots=True)
class CurrencyStatistics(Flow):
    """The period in one currency; ``steps`` only where an interval was asked for."""

    currency: str
    by_counter_account: tuple[CounterAccountTotal, ...]
    steps: tuple[Step, ...] | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """A period summed up, by currency."""

    from_: datetime | None
    to: datetime | None
    interval: str | None
    currencies: tuple[CurrencyStatistics, ...]


@dataclass(frozen=True, slots=True)
class WalletStatistics(Statistics):
    """A wallet's period."""

    wallet_id: str


@dataclass(frozen=True, slots=True)
class UserStatistics(Statistics):
    """A period of all wallets of a user."""

    user_id: str


@dataclass(frozen=True, slots=True)
class CurrencyStats:
    """The wallets of one currency."""

    currency: str
    wallets: int
    active: int
    frozen: int
    closed: int
    balance: Decimal
    locked_balance: Decimal
    ledger_entries: int


@dataclass(frozen=True, slots=True)
class ServiceStats:
    """The service at a glance; only currencies that have wallets."""

    at: datetime
    wallets: int
    ledger_entries: int
    currencies: tuple[CurrencyStats, ...]


@dataclass(frozen=True, slots=True)
class TrialBalanceLine:
    """What all wallets hold (``wallets``), or with the opposite sign what came from a counter account."""

    account: str
    balance: Decimal


@dataclass(frozen=True, slots=True)
class TrialBalanceCurrency:
    """The lines of one currency; their sum is 0 in a ledger that balances."""

    currency: str
    lines: tuple[TrialBalanceLine, ...]
    sum: Decimal


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """Every currency's lines."""

    wallets: int
    currencies: tuple[TrialBalanceCurrency, ...]


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency or unit; an amount with more decimals than ``exponent`` is refused."""

    code: str
    exponent: int
    kind: str
    name: str
