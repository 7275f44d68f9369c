"""Requests and responses of limits."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from wallet_service.core.fields import TimeZone, whole
from wallet_service.core.money import AmountOrZero, AmountText

MOST_LIMITS = 20
SHORTEST_WINDOW_S, LONGEST_WINDOW_S = 60, 366 * 86_400

Period = Literal["transaction", "day", "week", "month", "rolling"]
SetBy = Literal["operator", "owner"]
LimitedAccount = Annotated[
    str,
    StringConstraints(
        pattern=r"^(wallets|promotions|breakage|(revenue|external|promotions|expense|fx):"
        r"([A-Za-z0-9._:\-]{1,100}|[A-Za-z0-9._:\-]{0,99}\*))$"
    ),
    Field(examples=["revenue:usage*"]),
]
"""A counter account, one with a ``*`` at its end, or ``wallets``. SQL has the same rule (``billing.is_limitable``)."""


WindowSeconds = Annotated[
    int, Field(ge=SHORTEST_WINDOW_S, le=LONGEST_WINDOW_S, strict=True), BeforeValidator(whole)
]

_WALLET_ID = "0199d0a8-0000-7000-8000-0000000000aa"
_TIME = "2026-01-02T03:04:05.678901Z"
_DEFINED: dict[str, Any] = {
    "limit_id": "0199d0a8-0000-7000-8000-00000000f001",
    "set_by": "operator",
    "period": "month",
    "time_zone": "Europe/Berlin",
    "window_s": None,
    "counter_account": "revenue:usage*",
    "amount": "25.000000",
    "created_at": _TIME,
    "updated_at": _TIME,
}
_COUNTED: dict[str, Any] = {
    **_DEFINED,
    "used": "2.500000",
    "reserved": "0.000000",
    "remaining": "22.500000",
    "starts_at": "2025-12-31T23:00:00.000000Z",
    "resets_at": "2026-01-31T23:00:00.000000Z",
}
_SET: dict[str, Any] = {"wallet_id": _WALLET_ID, "currency": "CREDIT", "version": 1, "updated_at": _TIME}
_DEFINITIONS: dict[str, Any] = _SET | {"limits": [_DEFINED]}
_COUNTERS: dict[str, Any] = _SET | {"limits": [_COUNTED]}
_NEW: dict[str, Any] = {
    "period": "month",
    "amount": "25",
    "time_zone": "Europe/Berlin",
    "counter_account": "revenue:usage*",
}


class NewLimit(BaseModel):
    """A limit as its side sets it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [_NEW]},
    )

    period: Period = Field(
        description="What the amount is for: one `transaction`, a calendar `day`, `week` (from Monday) or `month` in "
        "`time_zone`, or a `rolling` window of the last `window_s` seconds."
    )
    amount: AmountOrZero = Field(
        description="The most that may be spent, in the wallet's currency. With 0 nothing may."
    )
    time_zone: TimeZone | None = Field(
        default=None,
        description="Of a calendar period: a name of the IANA time zone database. Default: UTC. Others have none.",
    )
    window_s: WindowSeconds | None = Field(
        default=None,
        description="Of a rolling limit, which must have it: seconds, from a minute to 366 days. Others have none.",
    )
    counter_account: LimitedAccount | None = Field(
        default=None,
        description="Only debits against this counter account count. With a `*` at its end: against all that begin "
        "like it. `wallets`: transfers to other wallets. Default: all debits.",
    )


class NewLimits(BaseModel):
    """The limits of one side. They replace those that it has set before."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"limits": [_NEW]}]},
    )

    limits: Annotated[list[NewLimit], Field(max_length=MOST_LIMITS)] = Field(
        description="Each is checked by itself. No two with the same period, time zone, window and counter account. "
        "Empty: none."
    )


class LimitDefinition(BaseModel):
    """A limit, without what is used of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DEFINED]})

    limit_id: UUID = Field(description="Names the limit. It stays when only its amount changes.")
    set_by: SetBy = Field(description="Which side set it. An owner changes its own only; both are in force.")
    period: Period = Field(description="What the amount is for.")
    time_zone: str | None = Field(description="Of a calendar period; null: it has none.")
    window_s: int | None = Field(description="Of a rolling limit, in seconds; null: it has none.")
    counter_account: str | None = Field(description="Only debits against it count; null: all debits.")
    amount: AmountText = Field(description="The most that may be spent, in the wallet's currency.")
    created_at: AwareDatetime = Field(description="When it was first set.")
    updated_at: AwareDatetime = Field(description="When its amount was last changed.")


class LimitDefinitions(BaseModel):
    """The limits of a wallet, as the events about their changes have them."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DEFINITIONS]})

    wallet_id: UUID = Field(description="The wallet.")
    currency: str = Field(description="Of the wallet and of the amounts.")
    version: int = Field(description="Counts changes of its limits, from 1; 0: there never were any.")
    updated_at: AwareDatetime | None = Field(description="When they last changed; null: never.")
    limits: list[LimitDefinition] = Field(
        description="Those of the operator first, in the order of its request."
    )


class Limit(LimitDefinition):
    """A limit, with what is used of it now."""

    model_config = ConfigDict(json_schema_extra={"examples": [_COUNTED]})

    used: AmountText = Field(
        description="What was spent in the present period or window. 0 for a limit per transaction."
    )
    reserved: AmountText = Field(
        description="What open holds reserve, where the limit is one of all debits of a period or window."
    )
    remaining: AmountText = Field(
        description="The most that the next debit may be, as far as this limit goes."
    )
    starts_at: AwareDatetime | None = Field(
        description="When the period began, or the window begins now; null for a limit per transaction."
    )
    resets_at: AwareDatetime | None = Field(
        description="When the period ends; of a rolling window, when the oldest debit that counts falls out, null if "
        "there is none; null for a limit per transaction."
    )


class Limits(BaseModel):
    """The limits of a wallet, with what is used of them."""

    model_config = ConfigDict(json_schema_extra={"examples": [_COUNTERS]})

    wallet_id: UUID = Field(description="The wallet.")
    currency: str = Field(description="Of the wallet and of the amounts.")
    version: int = Field(
        description="Counts changes of its limits, from 1; 0: there never were any. `If-Match` compares it."
    )
    updated_at: AwareDatetime | None = Field(description="When they last changed; null: never.")
    limits: list[Limit] = Field(description="Those of the operator first, in the order of its request.")
