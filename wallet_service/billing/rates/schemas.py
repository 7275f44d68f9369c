"""Requests and responses about usage."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SkipValidation,
    StrictBool,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from wallet_service.core.fields import NO_CONTROL, CurrencyCode, Line, Timestamp
from wallet_service.core.money import AmountOrZero, AmountText
from wallet_service.ledger.problems import InsufficientFunds
from wallet_service.money.examples import ENTRY, WALLET, WALLET_ID
from wallet_service.platform.web.problems import problem_document

MOST_EVENTS = 500
MOST_DIMENSIONS = 10

_TIME: str = ENTRY["created_at"]

MeterName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9._\-]{0,63}$"), Field(examples=["tokens"])
]
"""The name of a meter."""
DimensionName = Annotated[
    str, StringConstraints(pattern=r"^[a-zA-Z][a-zA-Z0-9._\-]{0,39}$"), Field(examples=["model"])
]
DimensionValue = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NO_CONTROL)]
Dimensions = Annotated[
    dict[DimensionName, DimensionValue],
    Field(max_length=MOST_DIMENSIONS),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": r"^[a-zA-Z][a-zA-Z0-9._\-]{0,39}$"},
            "additionalProperties": {
                "type": "string",
                "minLength": 1,
                "maxLength": 100,
                "pattern": NO_CONTROL,
            },
            "maxProperties": MOST_DIMENSIONS,
            "examples": [{"model": "large"}],
        }
    ),
]
Quantity = Annotated[AmountOrZero, Field(examples=["1200"])]
NumberText = Annotated[
    str, Field(json_schema_extra={"pattern": r"^-?[0-9]+(\.[0-9]+)?$"}, examples=["0.000002"])
]
"""A number in a response, without zeros at its end."""

RATING: dict[str, Any] = {
    "rate_card_id": "0199d0a8-0000-7000-8000-00000000b001",
    "version": 1,
    "model": "per_unit",
    "dimensions": {"model": "large"},
    "day": "2026-01-02",
    "month": "2026-01",
    "quantity_before": "0",
    "included": "0",
    "unit_price": "0.002",
    "exact_amount": "2.4",
    "lines": [
        {
            "kind": "units",
            "quantity": "1200",
            "unit_price": "0.002",
            "flat_amount": "0",
            "amount": "2.4",
        }
    ],
}
USAGE: dict[str, Any] = {
    "usage_id": "0199d0a8-0000-7000-8000-00000000b101",
    "wallet_id": WALLET_ID,
    "user_id": WALLET["user_id"],
    "meter": "tokens",
    "quantity": "1200",
    "dimensions": {"model": "large"},
    "timestamp": _TIME,
    "source": None,
    "event_id": "request-42",
    "currency": "CREDIT",
    "amount": "2.400000",
    "transaction_id": "0199d0a8-0000-7000-8000-00000000b101",
    "counter_account": "revenue:usage:tokens",
    "rating": RATING,
    "dry_run": False,
    "created_at": _TIME,
}
EVENT: dict[str, Any] = {
    "event_id": "request-42",
    "meter": "tokens",
    "wallet_id": WALLET_ID,
    "quantity": "1200",
    "dimensions": {"model": "large"},
}
CLOUD_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "request-43",
    "source": "/inference/eu-1",
    "type": "tokens",
    "subject": f"wallet:{WALLET_ID}",
    "data": {"quantity": "300", "dimensions": {"model": "large"}},
}


class UsageEvent(BaseModel):
    """What a wallet, or a user, has used."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EVENT]})

    event_id: Line = Field(
        description="Names the event, for ever: sent again it counts once, and has the same response."
    )
    source: Line | None = Field(
        default=None, description="Names the producer, if the client has several whose ids could be the same."
    )
    meter: MeterName = Field(description="What was measured.")
    wallet_id: UUID | None = Field(
        default=None, description="The wallet that pays. Either this or `user_id` is given."
    )
    user_id: Line | None = Field(
        default=None,
        description="The user who pays, from the wallet from which it spends in the currency of the rate card.",
    )
    currency: CurrencyCode | None = Field(
        default=None,
        description="With `user_id`: the currency, if the meter has rate cards in more than one.",
    )
    quantity: Quantity = Field(description="How much: 0 or more, of at most 18 decimals.")
    dimensions: Dimensions = Field(
        default_factory=dict[DimensionName, DimensionValue],
        description="What the price depends on, such as the model; those that the meter has.",
    )
    timestamp: Timestamp | None = Field(
        default=None,
        description="When it was used. It decides the version of the rate card, and the month in which tiers count. "
        "Default: now.",
    )

    @model_validator(mode="after")
    def _one_payer(self) -> Self:
        if (self.wallet_id is None) == (self.user_id is None):
            raise PydanticCustomError("payer_choice", "either wallet_id or user_id must be given")
        if self.currency is not None and self.user_id is None:
            raise PydanticCustomError("payer_choice", "currency is given with user_id only: a wallet has one")
        return self


class UsageCloudEventData(BaseModel):
    """What was used, in a CloudEvent."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [CLOUD_EVENT["data"]]})

    quantity: Quantity = Field(description="How much: 0 or more, of at most 18 decimals.")
    dimensions: Dimensions = Field(
        default_factory=dict[DimensionName, DimensionValue],
        description="What the price depends on, such as the model; those that the meter has.",
    )
    currency: CurrencyCode | None = Field(
        default=None,
        description="With a user as the subject: the currency, if the meter has rate cards in more than one.",
    )


class UsageCloudEvent(BaseModel):
    """The same as a CloudEvent 1.0 in JSON. Further attributes are ignored."""

    model_config = ConfigDict(json_schema_extra={"examples": [CLOUD_EVENT]})

    specversion: Literal["1.0"] = Field(description="The version of CloudEvents.")
    id: Line = Field(description="Names the event within its source, for ever.")
    source: Line = Field(description="Names the producer.")
    type: MeterName = Field(description="The meter: what was measured.")
    subject: Annotated[
        str,
        StringConstraints(
            max_length=260,
            pattern=r"^(wallet:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|"
            r"user:[^\u0000-\u001f\u007f-\u009f]{1,255})$",
        ),
    ] = Field(description="Who pays: `wallet:<wallet_id>` or `user:<user_id>`.")
    time: Timestamp | None = Field(default=None, description="When it was used. Default: now.")
    datacontenttype: Literal["application/json"] | None = Field(
        default=None, description="The type of `data`."
    )
    data: UsageCloudEventData = Field(description="What was used.")


def _form(document: Any) -> str:
    return "cloud_event" if isinstance(document, dict) and "specversion" in document else "usage_event"


AnyEvent = Annotated[
    Annotated[UsageCloudEvent, Tag("cloud_event")] | Annotated[UsageEvent, Tag("usage_event")],
    Discriminator(_form),
]
"""An event in either form. Read one by one by the service, so that a bad event is refused in its own place."""
UnreadEvent = Annotated[AnyEvent, SkipValidation]


class UsageBatch(BaseModel):
    """Events in order; each stands alone unless ``atomic``."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"events": [EVENT], "atomic": False}]}
    )

    events: Annotated[
        list[UnreadEvent],
        Field(min_length=1, max_length=MOST_EVENTS, description="The events, which are rated in this order."),
    ]
    atomic: StrictBool = Field(default=False, description="All or nothing.")
    dry_run: StrictBool = Field(default=False, description="Price the events; keep and post nothing.")


class RatingLine(BaseModel):
    """A part of the quantity at one price."""

    model_config = ConfigDict(json_schema_extra={"examples": RATING["lines"]})

    kind: Literal["units", "packages", "difference"] = Field(
        description="`units` at a unit price, `packages` that were begun, or the `difference` for what volume tiers "
        "priced before in the month."
    )
    quantity: NumberText | None = Field(default=None, description="Of units: how many.")
    up_to: NumberText | None = Field(
        default=None, description="The end of the tier. Left out: it has none, or the price has no tiers."
    )
    unit_price: NumberText | None = Field(default=None, description="Of one unit.")
    flat_amount: NumberText | None = Field(
        default=None, description="What entering the tier costs, with the event that entered it."
    )
    packages: NumberText | None = Field(default=None, description="How many packages were begun.")
    package_size: NumberText | None = Field(default=None, description="Units in a package.")
    package_price: NumberText | None = Field(default=None, description="Of one package.")
    amount: NumberText = Field(description="What it costs; not rounded.")


class Rating(BaseModel):
    """How the amount came about."""

    model_config = ConfigDict(json_schema_extra={"examples": [RATING]})

    rate_card_id: UUID = Field(description="The rate card.")
    version: int = Field(description="Its version.")
    model: Literal["per_unit", "package", "graduated", "volume"] = Field(
        description="The model of the price."
    )
    dimensions: dict[str, str] = Field(
        description="Of the price: the first one whose dimensions the event has."
    )
    day: str = Field(description="The day of the event in the time zone of the rate card.")
    month: str = Field(description="The month in which its tiers count.")
    quantity_before: NumberText = Field(
        description="What the wallet had used in that month at this price before the event."
    )
    included: NumberText = Field(description="Of the quantity: what the price includes.")
    unit_price: NumberText | None = Field(description="The price of one unit; null: there is not one.")
    exact_amount: NumberText = Field(description="The sum of the lines, before it is rounded.")
    lines: list[RatingLine] = Field(description="The parts of the quantity, and what each costs.")


class Usage(BaseModel):
    """An event that was accepted, with what it costs and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [USAGE]})

    usage_id: UUID = Field(description="Its id. Where something was posted, also that of the transaction.")
    wallet_id: UUID = Field(description="The wallet that pays.")
    user_id: str = Field(description="The owner of the wallet.")
    meter: str = Field(description="What was measured.")
    quantity: NumberText = Field(description="How much.")
    dimensions: dict[str, str] = Field(description="What the price depends on.")
    timestamp: AwareDatetime = Field(description="When it was used.")
    source: str | None = Field(description="The producer; null: the event named none.")
    event_id: str = Field(description="The event's id within its source.")
    currency: str = Field(description="The currency of the wallet and of the amounts.")
    amount: AmountText = Field(
        description="What it costs, rounded once to the currency's decimals, half away from zero. Below 0: a "
        "difference of volume tiers was given back."
    )
    transaction_id: UUID | None = Field(
        description="Its posting, a `consume`; null: the amount is 0, or it is a dry run."
    )
    counter_account: str = Field(description="The other side of the posting.")
    rating: Rating = Field(description="By which price, and from what, the amount was computed.")
    dry_run: bool = Field(description="Whether nothing was kept.")
    created_at: AwareDatetime = Field(description="When it was accepted.")


class UsageAccepted(BaseModel):
    """An event that was accepted, now or before."""

    status: Literal["accepted"] = Field(description="The event counts, or would without `dry_run`.")
    replayed: bool = Field(description="Whether it was accepted before: nothing was posted again.")
    usage: Usage = Field(description="The event with its rating.")


class UsageRefused(BaseModel):
    """An event that changed nothing. It can be sent again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "refused",
                    "problem": problem_document(InsufficientFunds(**InsufficientFunds.example_facts)),
                }
            ]
        }
    )

    status: Literal["refused"] = Field(description="The event is refused.")
    problem: dict[str, Any] = Field(description="The problem document that a single request would get.")


class UsageAnswer(BaseModel):
    """The outcomes in the order of the events."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"results": [{"status": "accepted", "replayed": False, "usage": USAGE}]}]
        }
    )

    results: list[UsageAccepted | UsageRefused] = Field(
        description="The outcome of each event, in the order of the request."
    )
