"""Requests and responses of alerts and burn rates."""

from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from wallet_service.core.fields import NO_CONTROL
from wallet_service.core.money import AmountOrZero, AmountText, parse_amount

MOST_PERCENT, PERCENT_DECIMALS = 100, 4

State = Literal["ok", "low", "depleted"]
Name = Annotated[str, StringConstraints(max_length=255, pattern=NO_CONTROL)]


def _percent(value: Any) -> str:
    fault = PydanticCustomError(
        "percent_invalid",
        "a percentage is a decimal string from 0 to 100, with at most 4 decimals, such as 20 or 12.5",
    )
    try:
        text = parse_amount(value, zero=True)
    except PydanticCustomError:
        raise fault from None
    number = Decimal(text)
    if number > MOST_PERCENT or number != round(number, PERCENT_DECIMALS):
        raise fault
    return text


Percent = Annotated[
    str,
    BeforeValidator(_percent),
    WithJsonSchema(
        {
            "description": "a decimal string, or an exact JSON number: from 0 to 100, with at most 4 decimals",
            "examples": ["20"],
            "anyOf": [
                {"type": "string", "pattern": r"^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)$"},
                {"type": "number", "minimum": 0, "maximum": MOST_PERCENT, "multipleOf": 0.0001},
            ],
        }
    ),
]

_TIME = "2026-01-02T03:04:05.678901Z"
ALERT: dict[str, Any] = {
    "alert_id": "0199d0a8-0000-7000-8000-00000000b001",
    "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
    "currency": "CREDIT",
    "set_by": "operator",
    "name": "running low",
    "amount": None,
    "percent": "20",
    "hysteresis": "5",
    "state": "low",
    "threshold": "20.000000",
    "recovery": "25.000000",
    "granted": "100.000000",
    "crossed_at": _TIME,
    "crossed_balance": "19.500000",
    "transaction_id": "0199d0a8-0000-7000-8000-000000000001",
    "version": 1,
    "created_at": _TIME,
    "updated_at": _TIME,
}
_BURN: dict[str, Any] = {
    "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
    "currency": "CREDIT",
    "at": "2026-11-28T12:00:00.000000Z",
    "available_balance": "60.000000",
    "windows": [
        {
            "window": name,
            "from": since,
            "spent": spent,
            "refunded": "0.000000",
            "per_day": per_day,
            "runs_out_at": empty,
        }
        for name, since, spent, per_day, empty in (
            ("1h", "2026-11-28T11:00:00.000000Z", "0.000000", "0.000000", None),
            ("24h", "2026-11-27T12:00:00.000000Z", "20.000000", "20.000000", "2026-12-01T12:00:00.000000Z"),
            ("7d", "2026-11-21T12:00:00.000000Z", "70.000000", "10.000000", "2026-12-04T12:00:00.000000Z"),
        )
    ],
}

_AMOUNT = (
    "The threshold in the wallet's currency: the alert is low when the available balance is this or less."
)
_PERCENT = (
    "The threshold as a percentage of `granted`, instead of `amount`: of the balance after the last credit, with "
    "what had been used of the grants that last."
)
_HYSTERESIS = (
    "How far above the threshold the available balance must rise for the alert to recover: an amount, or with `percent`, "
    "percentage points."
)


class AlertCreate(BaseModel):
    """A new alert: a threshold as an amount, or as a percentage."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "running low", "percent": "20", "hysteresis": "5"}]},
    )

    name: Name = Field(default="", description="For people.")
    amount: AmountOrZero | None = Field(default=None, description=_AMOUNT)
    percent: Percent | None = Field(default=None, description=_PERCENT)
    hysteresis: AmountOrZero = Field(default="0", description=_HYSTERESIS)

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.amount is None) == (self.percent is None):
            raise PydanticCustomError("threshold_invalid", "amount or percent must be given, not both")
        return self


class AlertPatch(BaseModel):
    """A merge patch (RFC 7396). Absent members stay; `amount` replaces `percent`, and `percent` replaces `amount`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"percent": "10"}]})

    # model_fields_set shows which members are absent. A factory keeps a default that is never used out of OpenAPI.
    name: Name = Field(default_factory=str, description="For people.")
    amount: AmountOrZero = Field(default_factory=str, description=_AMOUNT)
    percent: Percent = Field(default_factory=str, description=_PERCENT)
    hysteresis: AmountOrZero = Field(
        default_factory=str,
        description=_HYSTERESIS + " Absent where the kind of the threshold changes: 0.",
    )


class Alert(BaseModel):
    """An alert: a line of a wallet's available balance."""

    model_config = ConfigDict(json_schema_extra={"examples": [ALERT]})

    alert_id: UUID = Field(description="The alert's id, a UUIDv7.")
    wallet_id: UUID = Field(description="The wallet.")
    currency: str = Field(description="Of the wallet and of the amounts.")
    set_by: Literal["operator", "owner"] = Field(
        description="Which side set it. Both see it, only this side changes it."
    )
    name: str = Field(description="For people.")
    amount: AmountText | None = Field(description="The threshold; null: it is a percentage.")
    percent: str | None = Field(description="The threshold in percent of `granted`; null: it is an amount.")
    hysteresis: str = Field(
        description="How far above the threshold it recovers: an amount, or of a percentage, points."
    )
    state: State = Field(
        description="`ok`; `low`: the available balance is at the threshold or below, or has not risen to `recovery` "
        "since; `depleted`: it is 0 or less."
    )
    threshold: AmountText = Field(description="The available balance at which, and below which, it is low.")
    recovery: AmountText = Field(description="The available balance to which it must rise to be `ok` again.")
    granted: AmountText | None = Field(description="What `percent` is of; null: the threshold is an amount.")
    crossed_at: AwareDatetime | None = Field(
        description="When its state last changed by itself; null: never."
    )
    crossed_balance: AmountText | None = Field(description="The available balance then.")
    transaction_id: UUID | None = Field(
        description="The posting that did it; null: never, or a hold, which posts nothing."
    )
    version: int = Field(
        description="Counts its changes by callers, from 1; crossings don't count. `If-Match` compares it."
    )
    created_at: AwareDatetime = Field(description="When it was created.")
    updated_at: AwareDatetime = Field(description="When a caller last changed it.")


class AlertPage(BaseModel):
    """Alerts of a wallet, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [ALERT], "next_cursor": None}]})

    items: list[Alert] = Field(description="The alerts of the page.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")


class BurnWindow(BaseModel):
    """What a wallet spent in a window that ends now."""

    model_config = ConfigDict(json_schema_extra={"examples": _BURN["windows"][1:2]})

    window: Literal["1h", "24h", "7d"] = Field(description="How long it is.")
    from_: AwareDatetime = Field(
        alias="from",
        description="When it begins: not before the wallet was created, but at least a minute ago.",
    )
    spent: AmountText = Field(
        description="Debits against accounts `revenue:` and `expense:`; no transfers, withdrawals, adjustments."
    )
    refunded: AmountText = Field(
        description="What refunds gave back of such debits in the window, also of earlier ones."
    )
    per_day: AmountText = Field(
        description="The rate: spent less refunded, for 24 hours; 0 if more was refunded."
    )
    runs_out_at: AwareDatetime | None = Field(
        description="When the available balance is used up at this rate; now, if nothing is available; null: not within "
        "ten years."
    )


class BurnRate(BaseModel):
    """How fast a wallet is spent, and when it will be empty at that rate."""

    model_config = ConfigDict(json_schema_extra={"examples": [_BURN]})

    wallet_id: UUID = Field(description="The wallet.")
    currency: str = Field(description="Of the wallet and of the amounts.")
    at: AwareDatetime = Field(description="The end of the windows: now.")
    available_balance: AmountText = Field(
        description="What can be spent: the balance without what is locked."
    )
    windows: list[BurnWindow] = Field(description="The last hour, 24 hours and 7 days.")
