"""Requests and responses about top-ups."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from wallet_service.core.fields import Line, Metadata, whole
from wallet_service.core.money import Amount, AmountOrZero, AmountText
from wallet_service.money.examples import ENTRY, WALLET_ID
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit

_TIME: str = ENTRY["created_at"]

State = Literal[
    "created",
    "charging",
    "pending",
    "charged",
    "completed",
    "declined",
    "failed",
    "cancelled",
    "refunded",
]
PauseReason = Literal["charge_limit", "declined", "too_many_declines", "rights_lost", "failed"]
Charges = Annotated[int, Field(ge=1, le=100, strict=True), BeforeValidator(whole)]
Window = Annotated[int, Field(ge=60, le=31_622_400, strict=True), BeforeValidator(whole)]
Backoff = Annotated[int, Field(ge=1, le=86_400, strict=True), BeforeValidator(whole)]
PaymentMethod = Annotated[Line, Field(examples=["pm-4711"])]

_NEW_RULE: dict[str, Any] = {
    "threshold": "20",
    "target": "100",
    "payment_method": "pm-4711",
    "max_charges": 3,
    "max_amount": "500",
}
RULE: dict[str, Any] = {
    "wallet_id": WALLET_ID,
    "currency": "CREDIT",
    "version": 1,
    "state": "active",
    "pause_reason": None,
    "resumes_at": None,
    "declines": 0,
    "threshold": "20.000000",
    "target": "100.000000",
    "amount": None,
    "payment_method": "pm-4711",
    "max_charges": 3,
    "max_amount": "500.000000",
    "window_s": 86400,
    "max_declines": 3,
    "backoff_s": 3600,
    "created_at": _TIME,
    "updated_at": _TIME,
}
TOP_UP: dict[str, Any] = {
    "top_up_id": "0199d0a8-0000-7000-8000-00000000c001",
    "wallet_id": WALLET_ID,
    "currency": "CREDIT",
    "trigger": "request",
    "state": "created",
    "amount": "50.000000",
    "payment_method": "pm-4711",
    "payment_id": None,
    "transaction_id": None,
    "failure": None,
    "reference": "order-7",
    "metadata": {},
    "created_at": _TIME,
    "started_at": None,
    "ended_at": None,
    "updated_at": _TIME,
}
_NOTICE: dict[str, Any] = {
    "type": "payment.succeeded",
    "timestamp": _TIME,
    "data": {"payment_id": "payment-1", "reference": "top_up:0199d0a8-0000-7000-8000-00000000c001"},
}


class NewTopUpRule(BaseModel):
    """When a wallet is topped up, by how much, and how often at most."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_NEW_RULE]})

    threshold: AmountOrZero = Field(
        description="When the available balance is this or less, the wallet is topped up. With 0: when it is empty."
    )
    target: Amount | None = Field(
        default=None,
        description="Each top-up is what is missing to this available balance; more than the threshold. Either this or "
        "`amount`.",
    )
    amount: Amount | None = Field(
        default=None, description="Each top-up is this amount. Either this or `target`."
    )
    payment_method: PaymentMethod = Field(
        description="What is charged: the name by which the payment service knows it. Nothing else is done with it."
    )
    max_charges: Charges | None = Field(
        default=None,
        description="Most charges that begin in `window_s` seconds; then the rule pauses. Default: a setting.",
    )
    max_amount: Amount | None = Field(
        default=None,
        description="The most that these charges may be together. Default: `max_charges` alone bounds them.",
    )
    window_s: Window | None = Field(
        default=None,
        description="Seconds of the rolling window: from a minute to 366 days. Default: a setting.",
    )
    max_declines: Charges | None = Field(
        default=None,
        description="After so many declined charges in a row the rule pauses until it is set again. Default: a setting.",
    )
    backoff_s: Backoff | None = Field(
        default=None,
        description="Seconds for which the rule pauses after a declined charge. They double with each further one, up to "
        "a day. Default: a setting.",
    )


class TopUpRule(BaseModel):
    """The rule of a wallet."""

    model_config = ConfigDict(json_schema_extra={"examples": [RULE]})

    wallet_id: UUID = Field(description="The wallet.")
    currency: str = Field(description="Of the wallet and of the amounts.")
    version: int = Field(description="Counts changes of the rule by callers. `If-Match` compares it.")
    state: Literal["active", "paused"] = Field(description="Whether it charges.")
    pause_reason: PauseReason | None = Field(
        description="Why it is paused: `charge_limit`: as much was charged as may be in the window; `declined`: the last "
        "charge was; `too_many_declines`: that happened `max_declines` times; `rights_lost`: the caller that set it may "
        "not top up any more; `failed`: what was charged could not be deposited. Null: it is not."
    )
    resumes_at: AwareDatetime | None = Field(
        description="When the pause ends by itself; null: it is not paused, or until the rule is set again."
    )
    declines: int = Field(description="Declined charges in a row.")
    threshold: AmountText = Field(description="When the available balance is this or less, it charges.")
    target: AmountText | None = Field(
        description="Each top-up is what is missing to this; null: it has `amount`."
    )
    amount: AmountText | None = Field(description="Each top-up is this; null: it has `target`.")
    payment_method: str = Field(description="What is charged.")
    max_charges: int = Field(description="Most charges that begin in the window.")
    max_amount: AmountText | None = Field(description="The most that they may be together; null: no bound.")
    window_s: int = Field(description="Seconds of the rolling window.")
    max_declines: int = Field(description="Declined charges in a row after which it stops.")
    backoff_s: int = Field(description="Seconds of the pause after the first declined charge.")
    created_at: AwareDatetime = Field(description="When the wallet got a rule.")
    updated_at: AwareDatetime = Field(description="When a caller last set it.")


class TopUpCreate(BaseModel):
    """A top-up on request."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"amount": "50", "payment_method": "pm-4711", "reference": "order-7"}]
        },
    )

    amount: Amount = Field(description="In the wallet's currency.")
    payment_method: PaymentMethod | None = Field(
        default=None, description="What is charged. Default: that of the wallet's rule."
    )
    reference: Line | None = Field(
        default=None, description="The caller's own name for it; the deposit has it, too."
    )
    metadata: Metadata = Field(default_factory=dict, description="A JSON object of the caller.")


class TopUpFailure(BaseModel):
    """Why a top-up ended without a deposit."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "payment_declined", "detail": "The card has expired"}]}
    )

    code: str = Field(
        description="Of a declined one: `payment_declined`, `payment_refused`, `payment_failed`. Of a cancelled one: "
        "`not_needed`, `rule_deleted`, `rule_paused`, `charge_limit`, `wallet_frozen`, `wallet_closed`, `balance_limit`, "
        "or the problem of the caller that set it. Of a failed one: `payment_refunded`, or the problem of the deposit."
    )
    detail: str = Field(description="For people.")


class TopUp(BaseModel):
    """A charge of the payment service, and the deposit of what was charged."""

    model_config = ConfigDict(json_schema_extra={"examples": [TOP_UP]})

    top_up_id: UUID = Field(description="Names the top-up.")
    wallet_id: UUID = Field(description="The wallet.")
    currency: str = Field(description="Of the wallet and of the amount.")
    trigger: Literal["rule", "request"] = Field(description="What started it.")
    state: State = Field(
        description="`created`, then `charging`, perhaps `pending` at the payment service, then `charged`, and "
        "`completed` when it is deposited. Without a deposit it ends as `cancelled` (nothing was charged), `declined`, "
        "or `failed` (it must be given back at the payment service). `refunded`: the payment was given back after the "
        "deposit."
    )
    amount: AmountText = Field(
        description="What is charged and deposited. Of a rule with a target it is fixed when the charge begins."
    )
    payment_method: str = Field(description="What is charged.")
    payment_id: str | None = Field(description="Of the payment service; null: not known yet.")
    transaction_id: UUID | None = Field(description="The deposit; null before it is completed.")
    failure: TopUpFailure | None = Field(
        description="Why there is no deposit; null: there is one, or may be."
    )
    reference: str | None = Field(description="The caller's own name for it.")
    metadata: dict[str, Any] = Field(description="The caller's object.")
    created_at: AwareDatetime = Field(description="When it was started.")
    started_at: AwareDatetime | None = Field(description="When the charge began; null: it has not.")
    ended_at: AwareDatetime | None = Field(description="When it ended; null: it has not.")
    updated_at: AwareDatetime = Field(description="When its state last changed.")


class TopUpPage(BaseModel):
    """Top-ups of a wallet, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [TOP_UP], "next_cursor": None}]})

    items: list[TopUp] = Field(description="The top-ups of the page.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")


class TopUpQuery(BaseModel):
    """Which top-ups are listed."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = Field(default=None, description="Only those in this state.")
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT


class NoticedPayment(BaseModel):
    """The payment that a notice is about. Further members are not read."""

    model_config = ConfigDict(json_schema_extra={"examples": [_NOTICE["data"]]})

    payment_id: Line = Field(description="The payment's id.")
    reference: Line | None = Field(default=None, description="As the charge had it.")


class PaymentNotice(BaseModel):
    """A notice of the payment service. Further members are not read."""

    model_config = ConfigDict(json_schema_extra={"examples": [_NOTICE]})

    type: Line = Field(
        description="What happened, such as `payment.succeeded`, `payment.failed` or `payment.refunded`."
    )
    data: NoticedPayment = Field(description="The payment.")
