"""Requests and responses about schedules of grants."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from wallet_service.billing.grants.schemas import Accounts, Priority, Seconds
from wallet_service.core.fields import CounterAccount, CurrencyCode, Key, Line, Metadata, Timestamp, whole
from wallet_service.core.money import Amount, AmountText
from wallet_service.money.examples import ENTRY, WALLET_ID

_TIME: str = ENTRY["created_at"]

Rollover = Literal["none", "all", "cap", "percent"]
ScheduleSource = Literal["purchase", "promotion", "plan", "adjustment"]

SCHEDULE: dict[str, Any] = {
    "schedule_id": "0199d0a8-0000-7000-8000-00000000b001",
    "wallet_id": WALLET_ID,
    "currency": "CREDIT",
    "amount": "100.000000",
    "source": "plan",
    "priority": 10,
    "day_of_month": 1,
    "time_zone": "Europe/Berlin",
    "rollover": "cap",
    "rollover_value": "20.000000",
    "next_at": "2026-01-31T23:00:00.000000Z",
    "starts_at": _TIME,
    "ends_at": None,
    "counter_account": "promotions:plan",
    "pays": None,
    "is_transferable": False,
    "unit_cost": None,
    "cost_currency": None,
    "refund_grace_s": 0,
    "notice_s": 259200,
    "reference": None,
    "metadata": {},
    "version": 1,
    "created_at": _TIME,
    "updated_at": _TIME,
}


class GrantScheduleCreate(BaseModel):
    """Credits for a wallet each month."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "amount": "100",
                    "source": "plan",
                    "priority": 10,
                    "day_of_month": 1,
                    "time_zone": "Europe/Berlin",
                    "rollover": "cap",
                    "rollover_value": "20",
                }
            ]
        },
    )

    idempotency_key: Key | None = Field(
        default=None,
        description="The same as the header `Idempotency-Key`. If both are sent, they must be equal.",
    )
    amount: Amount = Field(description="How many credits each period brings, in the wallet's currency.")
    source: ScheduleSource = Field(
        description="Where they come from. It decides the default of `counter_account`."
    )
    day_of_month: Annotated[int, Field(ge=1, le=31, strict=True), BeforeValidator(whole)] = Field(
        description="A period begins at midnight of this day; in a shorter month, of its last day."
    )
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None,
        description="Of that midnight: a name of the IANA database, such as `Europe/Berlin`. Default: UTC.",
    )
    starts_at: Timestamp | None = Field(
        default=None,
        description="The first period begins at or after it, at most 31 days ago: one that has begun is granted at once. "
        "Default: now.",
    )
    ends_at: Timestamp | None = Field(
        default=None, description="No period begins at or after it. Default: there is no end."
    )
    rollover: Rollover | None = Field(
        default=None,
        description="What happens with the rest at the end of a period. `none`, the default: it expires. `all`: it never "
        "does. `cap`: at most `rollover_value` stays for one more period. `percent`: that percentage does.",
    )
    rollover_value: Amount | None = Field(
        default=None,
        description="Of the rollover `cap`: an amount. Of `percent`: above 0, at most 100.",
    )
    priority: Priority | None = Field(
        default=None,
        description="Debits take from grants with lower numbers first. Default: 100.",
    )
    counter_account: CounterAccount | None = Field(
        default=None,
        description="The other side of the postings. Default by the source, as for a grant.",
    )
    pays: Accounts | None = Field(
        default=None, description="The only counter accounts that the credits pay. Default: all."
    )
    is_transferable: StrictBool | None = Field(
        default=None, description="Whether transfers and withdrawals can take from them. Default: false."
    )
    unit_cost: Amount | None = Field(
        default=None, description="The price that is paid for one credit, for revenue recognition."
    )
    cost_currency: CurrencyCode | None = Field(default=None, description="The currency of `unit_cost`.")
    notice_s: Seconds | None = Field(
        default=None,
        description="Seconds before the end of a period at which `grant.ending` is recorded; 0: never. Default: a "
        "setting.",
    )
    refund_grace_s: Seconds | None = Field(
        default=None,
        description="Seconds for which credits can be used that a refund gives back after the end. Default: a setting.",
    )
    reference: Line | None = Field(default=None, description="The caller's own name for the schedule.")
    metadata: Metadata | None = Field(
        default=None,
        description="A JSON object of the caller, at most 16 KiB. Each grant of the schedule has it.",
    )


class GrantSchedulePatch(BaseModel):
    """Changes of a schedule, a merge patch (RFC 7396). They are for periods that begin later."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"amount": "150", "rollover": "none"}]}
    )

    # model_fields_set shows which members are absent. A factory keeps a default that is never used out of OpenAPI.
    amount: Amount = Field(default_factory=str, description="How many credits each period brings.")
    ends_at: Timestamp | None = Field(
        default_factory=lambda: None,
        description="No period begins at or after it; a moment that is past stops the schedule. null: there is no end.",
    )
    rollover: Rollover = Field(
        default_factory=lambda: "none",
        description="What happens with the rest at the end of a period, also of the present one.",
    )
    rollover_value: Amount | None = Field(
        default_factory=lambda: None,
        description="Of the rollover `cap` an amount, of `percent` a percentage.",
    )
    priority: Priority = Field(
        default_factory=lambda: 100, description="Debits take from grants with lower numbers first."
    )
    pays: Accounts | None = Field(
        default_factory=lambda: None, description="The only counter accounts that the credits pay; null: all."
    )
    is_transferable: StrictBool = Field(
        default_factory=bool, description="Whether transfers and withdrawals can take from them."
    )
    unit_cost: Amount | None = Field(
        default_factory=lambda: None, description="The price that is paid for one credit; null: none is."
    )
    cost_currency: CurrencyCode | None = Field(
        default_factory=lambda: None, description="The currency of `unit_cost`."
    )
    notice_s: Seconds = Field(
        default_factory=int,
        description="Seconds before the end of a period at which `grant.ending` is recorded; 0: never.",
    )
    refund_grace_s: Seconds = Field(
        default_factory=int,
        description="Seconds for which credits can be used that a refund gives back after the end.",
    )
    reference: Line | None = Field(
        default_factory=lambda: None, description="The caller's own name for the schedule."
    )
    metadata: Metadata = Field(
        default_factory=dict, description="A JSON object of the caller, at most 16 KiB."
    )


class GrantSchedule(BaseModel):
    """Credits for a wallet each month."""

    model_config = ConfigDict(json_schema_extra={"examples": [SCHEDULE]})

    schedule_id: UUID = Field(description="Its id.")
    wallet_id: UUID = Field(description="The wallet.")
    currency: str = Field(description="The currency of the amounts.")
    amount: AmountText = Field(description="How many credits each period brings.")
    source: ScheduleSource = Field(description="The source of the grants.")
    priority: int = Field(description="The priority of the grants.")
    day_of_month: int = Field(
        description="A period begins at midnight of this day, or of the last day of a shorter month."
    )
    time_zone: str = Field(description="Of that midnight.")
    rollover: Rollover = Field(description="What happens with the rest at the end of a period.")
    rollover_value: str | None = Field(description="Of `cap` an amount, of `percent` a percentage.")
    next_at: AwareDatetime | None = Field(
        description="When the next period begins; null: the schedule has ended."
    )
    starts_at: AwareDatetime = Field(description="The first period began, or begins, at or after it.")
    ends_at: AwareDatetime | None = Field(description="No period begins at or after it; null: no end.")
    counter_account: str = Field(description="The other side of the postings.")
    pays: list[str] | None = Field(description="The only counter accounts that the credits pay; null: all.")
    is_transferable: bool = Field(description="Whether transfers and withdrawals can take from them.")
    unit_cost: str | None = Field(description="The price of one credit; null: none is paid.")
    cost_currency: str | None = Field(description="The currency of the price.")
    refund_grace_s: int = Field(
        description="Seconds for which credits can be used that a refund gives back after the end."
    )
    notice_s: int = Field(
        description="Seconds before the end of a period at which `grant.ending` is recorded."
    )
    reference: str | None = Field(description="The caller's own name for it.")
    metadata: dict[str, Any] = Field(description="The caller's object, which each grant has.")
    version: int = Field(description="Counts its changes, from 1. `If-Match` compares it.")
    created_at: AwareDatetime = Field(description="When it was created.")
    updated_at: AwareDatetime = Field(description="When it was last changed.")


class GrantSchedules(BaseModel):
    """The schedules of a wallet, oldest first; at most 20."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [SCHEDULE]}]})

    items: list[GrantSchedule] = Field(description="All of them.")
