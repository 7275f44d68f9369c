"""Requests and responses about grants."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from wallet_service.billing.grants.settings import GrantsSettings
from wallet_service.core.fields import CounterAccount, CurrencyCode, Key, Line, Metadata, Timestamp, whole
from wallet_service.core.money import Amount, AmountText
from wallet_service.core.settings import Settings
from wallet_service.money.examples import ENTRY, WALLET_ID
from wallet_service.money.transactions.room_operations import BatchRoomOperation, RoomPosting
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit

_TIME: str = ENTRY["created_at"]
_LONGEST_S = 315_360_000

Source = Literal["purchase", "promotion", "plan", "refund", "adjustment"]
State = Literal["scheduled", "active", "used", "expired", "voided"]
VoidReason = Literal["request", "wallet_closed", "balance_limit", "grant_limit"]
Priority = Annotated[int, Field(ge=0, le=1000, strict=True), BeforeValidator(whole)]
Accounts = Annotated[list[CounterAccount], Field(min_length=1, max_length=20)]
Seconds = Annotated[int, Field(ge=0, le=_LONGEST_S, strict=True), BeforeValidator(whole)]

ACCOUNTS: dict[str, str] = {
    "purchase": "external:purchases",
    "promotion": "promotions",
    "plan": "promotions:plan",
    "refund": "external:refunds",
    "adjustment": "external:adjustments",
}
"""The default counter account of a grant, by its source, as SQL has it: a restricted key is checked before the kernel."""

_TERMS = (
    "source",
    "priority",
    "effective_at",
    "expires_at",
    "expires_in_s",
    "pays",
    "is_transferable",
    "unit_cost",
    "cost_currency",
    "notice_s",
    "refund_grace_s",
)

GRANT: dict[str, Any] = {
    "grant_id": "0199d0a8-0000-7000-8000-00000000a001",
    "wallet_id": WALLET_ID,
    "currency": "CREDIT",
    "source": "promotion",
    "state": "active",
    "priority": 0,
    "amount": "20.000000",
    "remaining": "20.000000",
    "reserved": "0.000000",
    "used": "0.000000",
    "overdrawn": "0.000000",
    "expired": "0.000000",
    "voided": "0.000000",
    "effective_at": _TIME,
    "expires_at": None,
    "transaction_id": "0199d0a8-0000-7000-8000-00000000a001",
    "counter_account": "promotions",
    "pays": None,
    "is_transferable": False,
    "unit_cost": None,
    "cost_currency": None,
    "refund_grace_s": 0,
    "original_grant_id": None,
    "schedule_id": None,
    "carried_from": None,
    "void_reason": None,
    "reference": "welcome",
    "metadata": {},
    "created_at": _TIME,
}


class GrantDetails(BaseModel):
    """The members of new credits."""

    amount: Amount = Field(description="How many credits, in the wallet's currency.")
    source: Source = Field(description="Where they come from. It decides the default of `counter_account`.")
    priority: Priority = Field(default=100, description="Debits take from grants with lower numbers first.")
    effective_at: Timestamp | None = Field(
        default=None, description="When they can be used. Default: now. Before it nothing is posted."
    )
    expires_at: Timestamp | None = Field(
        default=None, description="When what is left of them expires. Default: never."
    )
    expires_in_s: Annotated[int, Field(ge=1, le=_LONGEST_S, strict=True), BeforeValidator(whole)] | None = (
        Field(default=None, description="The same in seconds after `effective_at`, in place of `expires_at`.")
    )
    pays: Accounts | None = Field(
        default=None,
        description="The only counter accounts that they pay, as `revenue:usage:gpt`. Default: all.",
    )
    is_transferable: StrictBool = Field(
        default=False, description="Whether transfers and withdrawals can take from them."
    )
    unit_cost: Amount | None = Field(
        default=None, description="The price that was paid for one credit, for revenue recognition."
    )
    cost_currency: CurrencyCode | None = Field(default=None, description="The currency of `unit_cost`.")
    counter_account: CounterAccount | None = Field(
        default=None,
        description="The other side of the posting. Default by the source: `external:purchases`, `promotions`, "
        "`promotions:plan`, `external:refunds` or `external:adjustments`.",
    )
    notice_s: Seconds | None = Field(
        default=None,
        description="Seconds before the end at which `grant.ending` is recorded; 0: never. Default: a setting.",
    )
    refund_grace_s: Seconds | None = Field(
        default=None,
        description="Seconds for which credits can be used that a refund gives back after the end. Default: a setting.",
    )
    reference: Line | None = Field(default=None, description="The caller's own name for the grant.")
    metadata: Metadata | None = Field(
        default=None, description="A JSON object of the caller, at most 16 KiB."
    )

    def as_posting(self, settings: GrantsSettings) -> RoomPosting:
        """What SQL decides about.

        Args:
            settings: of the room.
        """
        found = {name: getattr(self, name) for name in _TERMS}
        terms: dict[str, Any] = {name: value for name, value in found.items() if value is not None}
        details = {"reference": self.reference, "metadata": self.metadata}
        return RoomPosting(
            terms=terms | {"defaults": settings.defaults()},
            amount=self.amount,
            counter_account=self.counter_account or ACCOUNTS[self.source],
            details={name: value for name, value in details.items() if value is not None},
        )


class GrantCreate(GrantDetails):
    """Credits for a wallet."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"amount": "20", "source": "promotion", "priority": 0, "reference": "welcome"}]
        },
    )

    dry_run: StrictBool = Field(
        default=False,
        description="Decide the operation and return its result with status 200, but post nothing and spend no key.",
    )
    idempotency_key: Key | None = Field(
        default=None,
        description="The same as the header `Idempotency-Key`. If both are sent, they must be equal.",
    )


class BatchGrant(GrantDetails, BatchRoomOperation):
    """One grant of a batch."""

    type: Literal["grant"] = Field(description="The type of the operation.")  # pyright: ignore[reportIncompatibleVariableOverride]  # of a union, by its value

    def posting(self, settings: Settings, caller: Principal) -> RoomPosting:
        """What SQL decides about."""
        del caller
        return self.as_posting(settings[GrantsSettings])


class GrantVoid(BaseModel):
    """Takes back what is left of a grant."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"description": "given by mistake"}]}
    )

    description: Line | None = Field(default=None, description="Why. It is stored with the posting.")
    idempotency_key: Key | None = Field(
        default=None,
        description="The same as the header `Idempotency-Key`. If both are sent, they must be equal.",
    )


class GrantQuery(BaseModel):
    """Which grants of a wallet."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = Field(default=None, description="Only those in this state now.")
    source: Source | None = Field(default=None, description="Only those with this source.")
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT


class Grant(BaseModel):
    """Credits with a source, a priority, an end and a price. `amount` is the sum of what became of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [GRANT]})

    grant_id: UUID = Field(description="Its id.")
    wallet_id: UUID = Field(description="The wallet.")
    currency: str = Field(description="The currency of the amounts.")
    source: Source = Field(description="Where the credits came from.")
    state: State = Field(
        description="`scheduled`: it begins later. `active`. `used`: nothing is left. `expired`, `voided`: it has ended."
    )
    priority: int = Field(description="Debits take from lower numbers first, then from what ends first.")
    amount: AmountText = Field(description="What it brought, or will bring.")
    remaining: AmountText = Field(description="What is left of it.")
    reserved: AmountText = Field(description="Of the rest: for open holds.")
    used: AmountText = Field(description="What debits took, less what their refunds gave back.")
    overdrawn: AmountText = Field(
        description="What was owed at its end, because the wallet had an overdraft."
    )
    expired: AmountText = Field(description="What went to `breakage` at its end.")
    voided: AmountText = Field(description="What was taken back.")
    effective_at: AwareDatetime = Field(description="When it begins.")
    expires_at: AwareDatetime | None = Field(description="When it ends; null: never.")
    transaction_id: UUID | None = Field(description="The posting that brought it; null before it begins.")
    counter_account: str = Field(description="The other side of that posting.")
    pays: list[str] | None = Field(description="The only counter accounts that it pays; null: all.")
    is_transferable: bool = Field(description="Whether transfers and withdrawals can take from it.")
    unit_cost: str | None = Field(description="The price of one credit; null: none was paid.")
    cost_currency: str | None = Field(description="The currency of the price.")
    refund_grace_s: int = Field(
        description="Seconds for which credits can be used that a refund gives back after its end."
    )
    original_grant_id: UUID | None = Field(
        description="The grant that had ended, where a refund gave this part of it back."
    )
    schedule_id: UUID | None = Field(description="The schedule that created it.")
    carried_from: AwareDatetime | None = Field(
        description="The end of the period from which the rest was carried over."
    )
    void_reason: VoidReason | None = Field(
        description="Of one that was voided: by a `request`, or by the service, because the `wallet_closed`, because its "
        "amount would have exceeded the highest balance (`balance_limit`), or because the wallet had as many grants as "
        "it may have (`grant_limit`)."
    )
    reference: str | None = Field(description="The caller's own name for it.")
    metadata: dict[str, Any] = Field(description="The caller's object.")
    created_at: AwareDatetime = Field(description="When it was created.")


class GrantPage(BaseModel):
    """Grants of a wallet, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [GRANT], "next_cursor": None}]})

    items: list[Grant] = Field(description="The grants of the page.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")
