"""Requests and responses about meters and rate cards."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from wallet_service.billing.rates.schemas import (
    MOST_DIMENSIONS,
    DimensionName,
    Dimensions,
    DimensionValue,
    MeterName,
    NumberText,
)
from wallet_service.core.fields import CurrencyCode, Line, Text, Timestamp, TimeZone, whole
from wallet_service.core.money import Amount, AmountOrZero
from wallet_service.money.examples import ENTRY
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit

MOST_PRICES = 100
MOST_TIERS = 20
LONGEST_AGE_S = 31_622_400

_TIME: str = ENTRY["created_at"]
_CARD_ID = "0199d0a8-0000-7000-8000-00000000b001"

UsageAccount = Annotated[
    str,
    StringConstraints(pattern=r"^(revenue|expense):[A-Za-z0-9._:\-]{1,100}$"),
    Field(examples=["revenue:usage:tokens"]),
]
Model = Literal["per_unit", "package", "graduated", "volume"]
VolumePricing = Literal["reached", "difference"]
State = Literal["scheduled", "active", "ended"]

METER: dict[str, Any] = {
    "meter": "tokens",
    "description": "tokens of answers",
    "unit": "token",
    "dimensions": ["model"],
    "counter_account": "revenue:usage:tokens",
    "max_age_s": 2_937_600,
    "created_at": _TIME,
}
_NEW_METER: dict[str, Any] = {
    "meter": "tokens",
    "description": "tokens of answers",
    "unit": "token",
    "dimensions": ["model"],
}
_NEW_PRICES: list[dict[str, Any]] = [
    {"dimensions": {"model": "large"}, "model": "per_unit", "unit_price": "0.002"},
    {
        "model": "graduated",
        "included": "1000",
        "tiers": [
            {"up_to": "1000000", "unit_price": "0.0005"},
            {"unit_price": "0.0004"},
        ],
    },
]
_NEW_VERSION: dict[str, Any] = {"prices": _NEW_PRICES}
_NEW_CARD: dict[str, Any] = {
    "meter": "tokens",
    "currency": "CREDIT",
    "time_zone": "Europe/Berlin",
    "prices": _NEW_PRICES,
}
PRICES: list[dict[str, Any]] = [
    {"dimensions": {"model": "large"}, "model": "per_unit", "included": "0", "unit_price": "0.002"},
    {
        "dimensions": {},
        "model": "graduated",
        "included": "1000",
        "tiers": [
            {"up_to": "1000000", "unit_price": "0.0005", "flat_amount": "0"},
            {"up_to": None, "unit_price": "0.0004", "flat_amount": "0"},
        ],
    },
]
_VERSION: dict[str, Any] = {"version": 1, "effective_at": _TIME, "ends_at": None, "created_at": _TIME}
RATE_CARD: dict[str, Any] = {
    "rate_card_id": _CARD_ID,
    "meter": "tokens",
    "currency": "CREDIT",
    "description": None,
    "counter_account": "revenue:usage:tokens",
    "time_zone": "Europe/Berlin",
    "volume_pricing": "reached",
    "state": "active",
    "version": 1,
    "starts_at": _TIME,
    "ends_at": None,
    "versions": [_VERSION],
    "prices": PRICES,
    "created_at": _TIME,
    "updated_at": _TIME,
}
RATE_VERSION: dict[str, Any] = {"rate_card_id": _CARD_ID, **_VERSION, "prices": PRICES}


class MeterCreate(BaseModel):
    """Creates a meter."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_NEW_METER]})

    meter: MeterName = Field(description="Its name, which events have.")
    description: Text | None = Field(default=None, description="What it measures.")
    unit: Annotated[Line, StringConstraints(max_length=64)] | None = Field(
        default=None, description="The unit of its quantities, for people."
    )
    dimensions: Annotated[list[DimensionName], Field(max_length=MOST_DIMENSIONS)] = Field(
        default_factory=list[DimensionName],
        description="What events may have beside the quantity, and prices may depend on.",
    )
    counter_account: UsageAccount | None = Field(
        default=None,
        description="The other side of its postings, unless a rate card has another. Default: `revenue:usage:<meter>`.",
    )
    max_age_s: Annotated[int, Field(ge=0, le=LONGEST_AGE_S, strict=True), BeforeValidator(whole)] | None = (
        Field(
            default=None,
            description="Seconds for which events are accepted after their timestamp. Default: a setting, 34 days.",
        )
    )


class Meter(BaseModel):
    """What is measured. A meter is not changed."""

    model_config = ConfigDict(json_schema_extra={"examples": [METER]})

    meter: str = Field(description="Its name.")
    description: str | None = Field(description="What it measures.")
    unit: str | None = Field(description="The unit of its quantities.")
    dimensions: list[str] = Field(description="What events may have beside the quantity.")
    counter_account: str = Field(description="The other side of its postings.")
    max_age_s: int = Field(description="Seconds for which events are accepted after their timestamp.")
    created_at: AwareDatetime = Field(description="When it was created.")


class MeterQuery(BaseModel):
    """Which meters."""

    model_config = ConfigDict(extra="forbid")

    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT


class MeterPage(BaseModel):
    """Meters by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [METER], "next_cursor": None}]})

    items: list[Meter] = Field(description="The meters of the page.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")


class NewRateTier(BaseModel):
    """A part of the quantity of a month."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_NEW_PRICES[1]["tiers"][0]]})

    up_to: Amount | None = Field(
        default=None,
        description="The last quantity in the tier. The last tier has none, and every other one has.",
    )
    unit_price: AmountOrZero = Field(description="Of one unit, of at most 18 decimals.")
    flat_amount: AmountOrZero = Field(
        default="0", description="What the event costs beside this that enters the tier."
    )


class NewRatePrice(BaseModel):
    """A price for events with some dimensions."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_NEW_PRICES[0]]})

    dimensions: Dimensions = Field(
        default_factory=dict[DimensionName, DimensionValue],
        description="An event with these has this price, unless one before it fits. Empty: every event.",
    )
    model: Model = Field(
        description="`per_unit`: `unit_price`. `package`: `package_price` for each `package_size` that is begun in a "
        "month. `graduated`: each part of the month's quantity at the price of its tier. `volume`: the whole at the "
        "price of the tier that the month has reached."
    )
    included: AmountOrZero = Field(
        default="0", description="The first so many units of a month cost nothing, and count in no tier."
    )
    unit_price: AmountOrZero | None = Field(default=None, description="Of `per_unit`.")
    package_size: Amount | None = Field(default=None, description="Of `package`: units in one.")
    package_price: AmountOrZero | None = Field(default=None, description="Of `package`: of one.")
    tiers: Annotated[list[NewRateTier], Field(min_length=1, max_length=MOST_TIERS)] | None = Field(
        default=None, description="Of `graduated` and `volume`, in order."
    )


NewPrices = Annotated[list[NewRatePrice], Field(min_length=1, max_length=MOST_PRICES)]


class RateCardCreate(BaseModel):
    """Creates a rate card with its first version."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [_NEW_CARD]},
    )

    meter: MeterName = Field(description="What it prices.")
    currency: CurrencyCode = Field(description="The currency of the wallets that pay by it.")
    description: Text | None = Field(default=None, description="For people.")
    counter_account: UsageAccount | None = Field(
        default=None, description="The other side of its postings. Default: that of the meter."
    )
    time_zone: TimeZone = Field(
        default="UTC", description="Of the calendar months in which tiers count, and of the days of usage."
    )
    volume_pricing: VolumePricing = Field(
        default="reached",
        description="What volume prices do where a month reaches another tier. `reached`: its price is for what comes "
        "from there on. `difference`: the event also posts the difference for what was priced before in the month.",
    )
    effective_at: Timestamp | None = Field(
        default=None, description="From when events have its prices; at most 366 days ago. Default: now."
    )
    ends_at: Timestamp | None = Field(default=None, description="Until when. Default: for ever.")
    prices: NewPrices = Field(description="An event has the first one whose dimensions it has.")


class RateVersionCreate(BaseModel):
    """Adds a version to a rate card."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_NEW_VERSION]})

    effective_at: Timestamp | None = Field(
        default=None,
        description="From when events have its prices: not in the past, and after the versions before it. Default: now.",
    )
    prices: NewPrices = Field(description="All prices of the version.")


class RateCardEnd(BaseModel):
    """Ends a rate card."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    ends_at: Timestamp | None = Field(
        default=None, description="From when events no longer have its prices: not in the past. Default: now."
    )


class RateTier(BaseModel):
    """A part of the quantity of a month."""

    model_config = ConfigDict(json_schema_extra={"examples": [PRICES[1]["tiers"][0]]})

    up_to: NumberText | None = Field(description="The last quantity in the tier; null: it has no end.")
    unit_price: NumberText = Field(description="Of one unit.")
    flat_amount: NumberText = Field(description="What entering it costs.")


class RatePrice(BaseModel):
    """A price for events with some dimensions."""

    model_config = ConfigDict(json_schema_extra={"examples": [PRICES[0]]})

    dimensions: dict[str, str] = Field(description="Events with these have it; empty: every event.")
    model: Model = Field(description="How the amount is computed.")
    included: NumberText = Field(description="What a month includes.")
    unit_price: NumberText | None = Field(default=None, description="Of `per_unit`.")
    package_size: NumberText | None = Field(default=None, description="Of `package`.")
    package_price: NumberText | None = Field(default=None, description="Of `package`.")
    tiers: list[RateTier] | None = Field(default=None, description="Of `graduated` and `volume`.")


class RateVersionTimes(BaseModel):
    """When a version is in force."""

    model_config = ConfigDict(json_schema_extra={"examples": [_VERSION]})

    version: int = Field(description="Its number, from 1.")
    effective_at: AwareDatetime = Field(description="From when events have its prices.")
    ends_at: AwareDatetime | None = Field(description="Until when; null: for ever.")
    created_at: AwareDatetime = Field(description="When it was added.")


class RateVersion(RateVersionTimes):
    """A version of a rate card. It is not changed."""

    model_config = ConfigDict(json_schema_extra={"examples": [RATE_VERSION]})

    rate_card_id: UUID = Field(description="The rate card.")
    prices: list[RatePrice] = Field(description="Its prices, in the order in which they are tried.")


class RateCard(BaseModel):
    """What usage of a meter costs in a currency."""

    model_config = ConfigDict(json_schema_extra={"examples": [RATE_CARD]})

    rate_card_id: UUID = Field(description="Its id.")
    meter: str = Field(description="What it prices.")
    currency: str = Field(description="The currency of the wallets that pay by it.")
    description: str | None = Field(description="For people.")
    counter_account: str = Field(description="The other side of its postings.")
    time_zone: str = Field(description="Of its months and days.")
    volume_pricing: VolumePricing = Field(
        description="What volume prices do where a month reaches another tier."
    )
    state: State = Field(description="Whether it is in force now.")
    version: int = Field(description="Its newest version, which may begin later.")
    starts_at: AwareDatetime = Field(description="From when events have its prices.")
    ends_at: AwareDatetime | None = Field(description="Until when; null: for ever.")
    versions: list[RateVersionTimes] = Field(description="Its versions, in order.")
    prices: list[RatePrice] | None = Field(description="Those of its newest version; null in a list.")
    created_at: AwareDatetime = Field(description="When it was created.")
    updated_at: AwareDatetime = Field(description="When it was last changed.")


class RateCardQuery(BaseModel):
    """Which rate cards."""

    model_config = ConfigDict(extra="forbid")

    meter: MeterName | None = Field(default=None, description="Only those of this meter.")
    currency: CurrencyCode | None = Field(default=None, description="Only those in this currency.")
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT


class RateCardPage(BaseModel):
    """Rate cards, newest first, without prices."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [RATE_CARD | {"prices": None}], "next_cursor": None}]}
    )

    items: list[RateCard] = Field(description="The rate cards of the page.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")
