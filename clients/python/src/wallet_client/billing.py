"""What is returned about billing: frozen dataclasses, Decimals, datetimes with a time zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Movements:
    """The sum of the entries of one type, direction and counter account.

    Attributes:
        counter_account: or ``wallets`` for all transfers.
    """

    transaction_type: str
    direction: str
    counter_account: str
    transactions: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class GrantLeft:
    """A grant with something left, or that begins later.

    Attributes:
        reserved: what open holds reserve of the rest; None for a past moment.
    """

    grant_id: str
    source: str
    priority: int
    state: str
    amount: Decimal
    remaining: Decimal
    reserved: Decimal | None
    effective_at: datetime
    expires_at: datetime | None
    pays: Sequence[str] | None
    is_transferable: bool


@dataclass(frozen=True, slots=True)
class NextExpiry:
    """What expires next."""

    at: datetime
    grant_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class LimitLeft:
    """A limit of what the wallet may spend, and what is left of it."""

    limit_id: str
    set_by: str
    period: str
    time_zone: str | None
    window_s: int | None
    counter_account: str | None
    amount: Decimal
    used: Decimal
    reserved: Decimal
    remaining: Decimal
    starts_at: datetime | None
    resets_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class GrantPart:
    """What a debit took from a grant."""

    grant_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class HoldOpen:
    """An open hold, what it keeps, and what it reserves of grants; the rest is not granted."""

    hold_id: str
    counter_account: str
    authorised: Decimal
    captured: Decimal
    remaining: Decimal
    expires_at: datetime
    reference: str | None
    grants: tuple[GrantPart, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of the wallet.

    Attributes:
        client_id: which client posted it; None for a user token, if another user did.
        grants: what it took from grants, in order; the rest was not granted.
    """

    at: datetime
    wallet_version: int
    transaction_id: str
    transaction_type: str
    direction: str
    amount: Decimal
    counter_account: str
    client_id: str | None
    balance_after: Decimal
    grants: tuple[GrantPart, ...]


@dataclass(frozen=True, slots=True)
class Update:
    """A change of the wallet's own members.

    Attributes:
        changed: the members that differ, as JSON pointers; None for a creation.
    """

    at: datetime
    action: str
    actor: str | None
    changed: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a balance is what it is: the opening balance and the movements add up to it, and so do grants and the rest.

    Attributes:
        is_now: whether the moment is the present one; a past one never changes.
        wallet_version: the newest entry that is counted.
        granted: what is left of grants, together.
        not_granted: the rest of the balance; below zero with an overdraft.
        grants: in the order in which debits take from them, at most 100.
        locked_balance: what open holds keep; None for a past moment.
        available_balance: the rest of the balance; None for a past moment.
        holds: open holds, what ends first first, at most 100; None for a past moment.
        limits: what may be spent; None for a past moment.
    """

    wallet_id: str
    user_id: str
    currency: str
    status: str
    at: datetime
    is_now: bool
    from_: datetime | None
    wallet_version: int
    opening_balance: Decimal
    movements: tuple[Movements, ...]
    balance: Decimal
    granted: Decimal
    not_granted: Decimal
    grants: tuple[GrantLeft, ...]
    locked_balance: Decimal | None
    available_balance: Decimal | None
    holds: tuple[HoldOpen, ...] | None
    next_expiry: NextExpiry | None
    limits: tuple[LimitLeft, ...] | None
    last_changes: tuple[Change, ...]
    last_updates: tuple[Update, ...]


@dataclass(frozen=True, slots=True)
class SourceSum:
    """What was granted from one source."""

    source: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Consumption:
    """What was spent on one counter account, and refunds of it."""

    counter_account: str
    consumed: Decimal
    refunded: Decimal


@dataclass(frozen=True, slots=True)
class GrantCost:
    """Credits that had a price: what was earned of it, and what is still owed, in the currency of the price."""

    cost_currency: str
    used: Decimal
    earned: Decimal
    expired: Decimal
    earned_by_expiry: Decimal
    outstanding: Decimal
    liability: Decimal


@dataclass(frozen=True, slots=True)
class AccountSum:
    """What wallets gave to one counter account; below zero: what they got from it."""

    account: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class CurrencySummary:
    """A period in one currency, over all operating wallets.

    Attributes:
        granted: the amounts of grants that became effective.
        purchased: of these, purchases.
        deposited: deposits, which are not grants.
        expired: what was left of grants that expired: breakage.
        voided: what was taken back of grants.
    """

    currency: str
    opening_balance: Decimal
    closing_balance: Decimal
    granted: Decimal
    granted_by_source: tuple[SourceSum, ...]
    purchased: Decimal
    deposited: Decimal
    consumed: Decimal
    refunded: Decimal
    consumption: tuple[Consumption, ...]
    expired: Decimal
    voided: Decimal
    outstanding_granted: Decimal
    outstanding_not_granted: Decimal
    costs: tuple[GrantCost, ...]
    accounts: tuple[AccountSum, ...]


@dataclass(frozen=True, slots=True)
class BillingSummary:
    """What finance needs of a period.

    Attributes:
        from_: None: from the begin of the ledger.
        to: not in the period; None: now.
    """

    from_: datetime | None
    to: datetime | None
    wallets: int
    currencies: tuple[CurrencySummary, ...]
