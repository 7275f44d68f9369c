"""Requests and responses of the room."""

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from wallet_service.core.fields import Timestamp
from wallet_service.core.money import AmountText
from wallet_service.ledger.operation_types import Direction, TransactionType
from wallet_service.money.examples import ENTRY, OPENING_ENTRY, USER_ID, WALLET_ID

_TIME: str = ENTRY["created_at"]


class ExplainQuery(BaseModel):
    """Which balance is explained, and since when."""

    model_config = ConfigDict(extra="forbid")

    from_: Timestamp | None = Field(
        default=None,
        alias="from",
        description="Movements are those of this moment or later. Default: all, from an opening balance of 0.",
    )
    at: Timestamp | None = Field(
        default=None, description="Explains the balance at this past moment. Default: now."
    )


class SummaryQuery(BaseModel):
    """The period of the summary."""

    model_config = ConfigDict(extra="forbid")

    from_: Timestamp | None = Field(
        default=None, alias="from", description="What was posted at this moment or later."
    )
    to: Timestamp | None = Field(default=None, description="What was posted before this moment.")


class Movements(BaseModel):
    """The sum of the entries of one type, direction and counter account."""

    transaction_type: TransactionType = Field(description="The operation type.")
    direction: Direction = Field(description="`credit` raised the balance, `debit` lowered it.")
    counter_account: str = Field(description="The counter account, or `wallets` for all transfers.")
    transactions: int = Field(description="The number of entries.")
    amount: AmountText = Field(description="The sum of their amounts.")


class GrantLeft(BaseModel):
    """A grant with something left, or that begins later."""

    grant_id: UUID = Field(description="The grant.")
    source: str = Field(description="Where the credits came from.")
    priority: int = Field(description="Lower numbers pay first.")
    state: str = Field(description="`active`, or `scheduled`: it begins later.")
    amount: AmountText = Field(description="What it brought.")
    remaining: AmountText = Field(description="What is left of it.")
    reserved: AmountText | None = Field(
        description="What open holds reserve of the rest. Null for a past moment."
    )
    effective_at: AwareDatetime = Field(description="When it begins.")
    expires_at: AwareDatetime | None = Field(description="When it ends; null: it does not.")
    pays: list[str] | None = Field(description="The only counter accounts that it pays; null: all.")
    is_transferable: bool = Field(description="Whether transfers and withdrawals can take from it.")


class NextExpiry(BaseModel):
    """What expires next."""

    at: AwareDatetime = Field(description="When.")
    grant_id: UUID = Field(description="The grant that ends.")
    amount: AmountText = Field(description="What is left of it.")


class GrantPart(BaseModel):
    """What a debit took from a grant."""

    grant_id: UUID = Field(description="The grant.")
    amount: AmountText = Field(description="How much.")


class Change(BaseModel):
    """An entry of the wallet."""

    at: AwareDatetime = Field(description="When it was posted.")
    wallet_version: int = Field(description="Its place among the wallet's entries.")
    transaction_id: UUID = Field(description="Its transaction.")
    transaction_type: TransactionType = Field(description="The operation type.")
    direction: Direction = Field(description="`credit` raised the balance, `debit` lowered it.")
    amount: AmountText = Field(description="By how much.")
    counter_account: str = Field(description="The other side.")
    client_id: str | None = Field(
        description="Which client posted it. Null for a user token, if another user did."
    )
    balance_after: AmountText = Field(description="The balance after it.")
    grants: list[GrantPart] = Field(
        description="What it took from grants, in order. The rest was not granted."
    )


class HoldOpen(BaseModel):
    """An open hold, what it keeps, and what it reserves."""

    hold_id: UUID = Field(description="The hold.")
    counter_account: str = Field(description="What it will pay.")
    authorised: AmountText = Field(description="What it kept, with what increases added.")
    captured: AmountText = Field(description="What was paid of it.")
    remaining: AmountText = Field(description="What it still keeps.")
    expires_at: AwareDatetime = Field(description="When it expires.")
    reference: str | None = Field(description="The caller's own name for it.")
    grants: list[GrantPart] = Field(description="What it reserves of grants. The rest is not granted.")


class LimitLeft(BaseModel):
    """A limit of what the wallet may spend, and what is left of it."""

    limit_id: UUID = Field(description="The limit.")
    set_by: str = Field(description="`operator` or `owner`.")
    period: str = Field(description="`transaction`, `day`, `week`, `month` or `rolling`.")
    time_zone: str | None = Field(description="Where a day, week or month begins.")
    window_s: int | None = Field(description="The length of a rolling window.")
    counter_account: str | None = Field(description="The only debits that count; null: all.")
    amount: AmountText = Field(description="The limit.")
    used: AmountText = Field(description="What was spent in the period.")
    reserved: AmountText = Field(description="What open holds may still spend.")
    remaining: AmountText = Field(description="What can still be spent.")
    starts_at: AwareDatetime | None = Field(description="The begin of the period.")
    resets_at: AwareDatetime | None = Field(description="When something becomes free again.")
    created_at: AwareDatetime = Field(description="When it was set.")
    updated_at: AwareDatetime = Field(description="When it was changed last.")


class Update(BaseModel):
    """A change of what the wallet is set to: its status, credit limit, metadata, limits."""

    at: AwareDatetime = Field(description="When.")
    action: str = Field(description="What was done, as the audit trail has it.")
    actor: str | None = Field(description="Who did it. Null for a user token, if another did.")
    changed: list[str] | None = Field(
        description="The members that differ, as JSON pointers. Null for a creation."
    )


_EXPLANATION: dict[str, Any] = {
    "wallet_id": WALLET_ID,
    "user_id": USER_ID,
    "currency": "CREDIT",
    "status": "active",
    "at": _TIME,
    "is_now": True,
    "from": None,
    "wallet_version": 2,
    "opening_balance": "0.000000",
    "movements": [
        {
            "transaction_type": "deposit",
            "direction": "credit",
            "counter_account": "external:deposits",
            "transactions": 1,
            "amount": "100.000000",
        },
        {
            "transaction_type": "consume",
            "direction": "debit",
            "counter_account": "revenue:usage",
            "transactions": 1,
            "amount": "2.500000",
        },
    ],
    "balance": "97.500000",
    "granted": "0.000000",
    "not_granted": "97.500000",
    "grants": [],
    "locked_balance": "0.000000",
    "available_balance": "97.500000",
    "holds": [],
    "next_expiry": None,
    "limits": [],
    "last_changes": [
        {
            "at": _TIME,
            "wallet_version": 2,
            "transaction_id": ENTRY["transaction_id"],
            "transaction_type": "consume",
            "direction": "debit",
            "amount": "2.500000",
            "counter_account": "revenue:usage",
            "client_id": "billing",
            "balance_after": "97.500000",
            "grants": [],
        },
        {
            "at": _TIME,
            "wallet_version": 1,
            "transaction_id": OPENING_ENTRY["transaction_id"],
            "transaction_type": "deposit",
            "direction": "credit",
            "amount": "100.000000",
            "counter_account": "external:deposits",
            "client_id": "billing",
            "balance_after": "100.000000",
            "grants": [],
        },
    ],
    "last_updates": [
        {"at": _TIME, "action": "wallet.created", "actor": "client:billing", "changed": None},
    ],
}


class Explanation(BaseModel):
    """Why a balance is what it is: the opening balance and the movements add up to it, and so do grants and the rest."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXPLANATION]})

    wallet_id: UUID = Field(description="The wallet.")
    user_id: str = Field(description="Its user.")
    currency: str = Field(description="The currency of all amounts.")
    status: str = Field(description="The wallet's status now.")
    at: AwareDatetime = Field(description="The moment that is explained.")
    is_now: bool = Field(description="Whether it is the present one; a past one never changes.")
    from_: AwareDatetime | None = Field(alias="from", description="Since when; null: since the begin.")
    wallet_version: int = Field(description="The newest entry that is counted.")
    opening_balance: AmountText = Field(description="The balance before the movements.")
    movements: list[Movements] = Field(description="The sums of the entries since, credits first.")
    balance: AmountText = Field(description="Opening balance, plus credits, minus debits.")
    granted: AmountText = Field(description="What is left of grants, together.")
    not_granted: AmountText = Field(description="The rest of the balance. Below zero with an overdraft.")
    grants: list[GrantLeft] = Field(
        description="Grants in the order in which debits take from them, at most 100."
    )
    locked_balance: AmountText | None = Field(
        description="What open holds keep of the balance. Null for a past moment."
    )
    available_balance: AmountText | None = Field(description="The rest. Null for a past moment.")
    holds: list[HoldOpen] | None = Field(
        description="Open holds, what ends first first, at most 100. Null for a past moment."
    )
    next_expiry: NextExpiry | None = Field(description="What expires next; null: nothing.")
    limits: list[LimitLeft] | None = Field(
        description="What may be spent, and what is left of it. Null for a past moment."
    )
    last_changes: list[Change] = Field(description="The last ten entries, the newest first.")
    last_updates: list[Update] = Field(
        description="The last ten changes of the wallet's own members, the newest first, as far as the audit trail goes."
    )


class SourceSum(BaseModel):
    """What was granted from one source."""

    source: str = Field(description="The source.")
    amount: AmountText = Field(description="The sum of the amounts.")


class Consumption(BaseModel):
    """What was spent on one counter account."""

    counter_account: str = Field(description="The account: `revenue:…` or `expense:…`.")
    consumed: AmountText = Field(description="The sum of the debits.")
    refunded: AmountText = Field(description="The sum of their refunds in the period.")


class GrantCost(BaseModel):
    """Credits that had a price: what was earned of it, and what is still owed, in the currency of the price."""

    cost_currency: str = Field(description="The currency of the price.")
    used: AmountText = Field(description="Credits that debits took, less what refunds gave back.")
    earned: AmountText = Field(description="Their price: revenue of the period.")
    expired: AmountText = Field(description="Credits that expired.")
    earned_by_expiry: AmountText = Field(description="Their price: revenue by breakage.")
    outstanding: AmountText = Field(description="Credits that are left at the end of the period.")
    liability: AmountText = Field(description="Their price: deferred revenue at the end of the period.")


class AccountSum(BaseModel):
    """What wallets gave to one counter account; below zero: what they got from it."""

    account: str = Field(description="The counter account; all transfers between wallets are `transfers`.")
    amount: AmountText = Field(description="Its change in the period, with the sign of the trial balance.")


class CurrencySummary(BaseModel):
    """A period in one currency, over all operating wallets."""

    currency: str = Field(description="The currency of the amounts.")
    opening_balance: AmountText = Field(description="What wallets held at the begin of the period.")
    closing_balance: AmountText = Field(description="And at its end.")
    granted: AmountText = Field(description="The amounts of grants that became effective.")
    granted_by_source: list[SourceSum] = Field(description="The same by source.")
    purchased: AmountText = Field(description="Of these, purchases.")
    deposited: AmountText = Field(description="Deposits, which are not grants.")
    consumed: AmountText = Field(description="All that was spent, before refunds.")
    refunded: AmountText = Field(description="Refunds of what was spent.")
    consumption: list[Consumption] = Field(description="The same by counter account.")
    expired: AmountText = Field(description="What was left of grants that expired: breakage.")
    voided: AmountText = Field(description="What was taken back of grants.")
    outstanding_granted: AmountText = Field(description="What is left of grants at the end.")
    outstanding_not_granted: AmountText = Field(description="The rest of the closing balance.")
    costs: list[GrantCost] = Field(description="Grants with a price, by its currency.")
    accounts: list[AccountSum] = Field(
        description="The changes of all counter accounts. With the change of the balance they add up to zero."
    )


class BillingSummary(BaseModel):
    """What finance needs of a period. Without one it agrees with the trial balance."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "from": "2026-01-01T00:00:00.000000Z",
                    "to": "2026-02-01T00:00:00.000000Z",
                    "wallets": 1,
                    "currencies": [
                        {
                            "currency": "CREDIT",
                            "opening_balance": "0.000000",
                            "closing_balance": "97.500000",
                            "granted": "0.000000",
                            "granted_by_source": [],
                            "purchased": "0.000000",
                            "deposited": "100.000000",
                            "consumed": "2.500000",
                            "refunded": "0.000000",
                            "consumption": [
                                {
                                    "counter_account": "revenue:usage",
                                    "consumed": "2.500000",
                                    "refunded": "0.000000",
                                }
                            ],
                            "expired": "0.000000",
                            "voided": "0.000000",
                            "outstanding_granted": "0.000000",
                            "outstanding_not_granted": "97.500000",
                            "costs": [],
                            "accounts": [
                                {"account": "external:deposits", "amount": "-100.000000"},
                                {"account": "revenue:usage", "amount": "2.500000"},
                            ],
                        }
                    ],
                }
            ]
        },
        populate_by_name=True,
    )

    from_: AwareDatetime | None = Field(
        alias="from", description="The begin of the period; null: of the ledger."
    )
    to: AwareDatetime | None = Field(description="The end of the period, not in it; null: now.")
    wallets: int = Field(description="The number of wallets.")
    currencies: list[CurrencySummary] = Field(description="Each currency that has operating wallets.")
