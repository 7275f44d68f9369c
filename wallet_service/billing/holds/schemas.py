"""Requests and responses about holds."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    model_validator,
)
from pydantic_core import PydanticCustomError

from wallet_service.core.fields import CounterAccount, Key, Line, Metadata, Text, Timestamp, whole
from wallet_service.core.money import Amount, AmountText
from wallet_service.money.examples import ENTRY, WALLET_ID, transaction
from wallet_service.money.responses import PostedTransaction
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit

_TIME: str = ENTRY["created_at"]
LONGEST_S = 31_622_400

State = Literal["open", "captured", "voided", "expired"]
Overage = Literal["refuse", "take_available", "allow_to_limit"]
CaptureType = Literal["consume", "fee", "withdraw"]
"""The types of operations as which a capture is posted."""

Seconds = Annotated[int, Field(ge=1, le=LONGEST_S, strict=True), BeforeValidator(whole)]

HOLD: dict[str, Any] = {
    "hold_id": "0199d0a8-0000-7000-8000-00000000b001",
    "wallet_id": WALLET_ID,
    "currency": "CREDIT",
    "state": "open",
    "amount": "10.000000",
    "authorised": "10.000000",
    "remaining": "10.000000",
    "captured": "0.000000",
    "voided": "0.000000",
    "expired": "0.000000",
    "overage": "0.000000",
    "counter_account": "revenue:usage",
    "expires_at": "2026-01-02T04:04:05.678901Z",
    "ended_at": None,
    "reference": "answer-7",
    "metadata": {},
    "created_at": _TIME,
}
CAPTURED: dict[str, Any] = HOLD | {
    "state": "captured",
    "remaining": "0.000000",
    "captured": "2.500000",
    "voided": "7.500000",
    "ended_at": _TIME,
}
CAPTURE_ENTRY: dict[str, Any] = {
    **ENTRY,
    "reference": None,
    "metadata": {"hold_id": HOLD["hold_id"]},
}


class _Keyed(BaseModel):
    """Members of every request about a hold."""

    model_config = ConfigDict(extra="forbid")

    dry_run: StrictBool = Field(
        default=False,
        description="Decide the operation and return its result with status 200, but post nothing and spend no key.",
    )
    idempotency_key: Key | None = Field(
        default=None,
        description="The same as the header `Idempotency-Key`. If both are sent, they must be equal.",
    )


class _Ending(BaseModel):
    """When a hold ends."""

    expires_at: Timestamp | None = Field(
        default=None,
        description="When it expires. At most 30 days after the creation of the hold, by setting.",
    )
    expires_in_s: Seconds | None = Field(
        default=None, description="The same in seconds from now, in place of `expires_at`."
    )

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.expires_at is not None and self.expires_in_s is not None:
            raise PydanticCustomError("hold_end_ambiguous", "give either expires_at or expires_in_s")
        return self


class HoldDetails(_Ending):
    """What a hold keeps, and for what."""

    amount: Amount = Field(
        description="How much is kept. The wallet must have it available, with its credit limit."
    )
    counter_account: CounterAccount | None = Field(
        default=None,
        description="What it will pay: grants that can pay it are reserved. Default: `revenue:usage`.",
    )
    reference: Line | None = Field(
        default=None, description="The caller's own name for the hold. The list can be filtered by it."
    )
    metadata: Metadata | None = Field(
        default=None, description="A JSON object of the caller, at most 16 KiB."
    )


class HoldCreate(HoldDetails, _Keyed):
    """An amount that is kept for a payment."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"amount": "10", "expires_in_s": 3600, "reference": "answer-7"}]},
    )


class CaptureDetails(BaseModel):
    """What is paid from a hold."""

    amount: Amount | None = Field(default=None, description="Default: all that the hold still keeps.")
    final: StrictBool = Field(
        default=False,
        description="Whether what is left of the hold is released. Otherwise it stays open for further captures; with "
        "nothing left it is captured.",
    )
    overage: Overage = Field(
        default="refuse",
        description="What to do with an amount above what the hold keeps. `refuse`: 409 `hold_exceeded`. "
        "`take_available`: capture the hold and as much of the rest as the wallet has available. `allow_to_limit`: the "
        "same, down to the credit limit. The posting has what was captured.",
    )
    counter_account: CounterAccount | None = Field(
        default=None, description="The other side of the posting. Default: that of the hold."
    )
    description: Text | None = Field(
        default=None, description="A text about the operation, at most 1000 characters."
    )
    reference: Line | None = Field(default=None, description="The caller's own name for the posting.")
    metadata: Metadata | None = Field(
        default=None, description="A JSON object of the caller. The posting has it with `hold_id`."
    )
    effective_at: Timestamp | None = Field(
        default=None, description="When the movement happened outside the ledger. Default: the posting time."
    )


class HoldCapture(CaptureDetails, _Keyed):
    """A payment from a hold."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"amount": "2.50", "final": True}]}
    )

    type: CaptureType = Field(default="consume", description="The type of the operation that is posted.")


class HoldVoid(_Keyed):
    """Releases what a hold still keeps."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})


class ExtendDetails(_Ending):
    """When a hold ends instead."""

    @model_validator(mode="after")
    def _an_end(self) -> Self:
        if self.expires_at is None and self.expires_in_s is None:
            raise PydanticCustomError("hold_end_missing", "give expires_at or expires_in_s")
        return self


class HoldExtend(ExtendDetails, _Keyed):
    """Lets a hold end later."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"expires_in_s": 7200}]})


class IncreaseDetails(BaseModel):
    """How much more a hold keeps."""

    amount: Amount = Field(description="How much more is kept. The wallet must have it available.")


class HoldIncrease(IncreaseDetails, _Keyed):
    """Lets a hold keep more."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"amount": "5"}]})


class HoldQuery(BaseModel):
    """Which holds of a wallet."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = Field(default=None, description="Only those in this state now.")
    reference: Line | None = Field(default=None, description="Only those with exactly this reference.")
    from_: Timestamp | None = Field(
        default=None, alias="from", description="Only those created at this moment or later."
    )
    to: Timestamp | None = Field(default=None, description="Only those created before this moment.")
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT

    def filters(self) -> dict[str, str]:
        """The filters as the database function takes them, without the place and size of the page."""
        return self.model_dump(by_alias=True, exclude={"cursor", "limit"}, exclude_none=True)


class Hold(BaseModel):
    """An amount that is kept for a payment. `authorised` is what it keeps and what became of the rest."""

    model_config = ConfigDict(json_schema_extra={"examples": [HOLD]})

    hold_id: UUID = Field(description="Its id.")
    wallet_id: UUID = Field(description="The wallet.")
    currency: str = Field(description="The currency of the amounts.")
    state: State = Field(
        description="`open`: it keeps `remaining`. `captured`: it was paid. `voided`, `expired`: the rest was released."
    )
    amount: AmountText = Field(description="What it kept when it was placed.")
    authorised: AmountText = Field(description="The same with what increases added.")
    remaining: AmountText = Field(description="What it still keeps: a part of the wallet's `locked_balance`.")
    captured: AmountText = Field(description="What was paid of it.")
    voided: AmountText = Field(description="What was released by a void, or by a final capture.")
    expired: AmountText = Field(description="What was released when it expired.")
    overage: AmountText = Field(description="What captures took of the wallet beyond it.")
    counter_account: str = Field(description="What it pays.")
    expires_at: AwareDatetime = Field(description="When it expires, or would have.")
    ended_at: AwareDatetime | None = Field(description="When it ended; null while it is open.")
    reference: str | None = Field(description="The caller's own name for it.")
    metadata: dict[str, Any] = Field(description="The caller's object.")
    created_at: AwareDatetime = Field(description="When it was placed.")


class Capture(BaseModel):
    """A payment from a hold: what was posted, and the hold after it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"hold": CAPTURED, "transaction": transaction(CAPTURE_ENTRY)}]}
    )

    hold: Hold = Field(description="The hold after the capture.")
    transaction: PostedTransaction = Field(
        description="The posting. Its `amount` is what was captured; its metadata has `hold_id`."
    )


class HoldPage(BaseModel):
    """Holds of a wallet, newest first. With `state` a page can be short, even empty, and not be the last."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [HOLD], "next_cursor": None}]})

    items: list[Hold] = Field(description="The holds of the page.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")
