"""Requests and responses of exchange rates."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema

from wallet_service.core.fields import CurrencyCode, Day
from wallet_service.core.money import Amount, AmountInQuery, AmountText
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit

MOST_RATES = 500

_TIME = "2026-01-02T15:30:00.000000Z"
RATE: dict[str, Any] = {
    "book_id": None,
    "base": "EUR",
    "quote": "USD",
    "day": "2026-01-02",
    "rate": "1.0705",
    "source": "provider",
    "updated_at": _TIME,
}
CONVERTED: dict[str, Any] = {
    "from": "USD",
    "to": "EUR",
    "amount": "100.00",
    "day": "2026-01-04",
    "converted": "93.41",
    "rate": "0.9341429238673517048",
    "rated_on": "2026-01-02",
    "stale": False,
    "unconverted": [],
    "complete": True,
}
UNCONVERTED: dict[str, Any] = CONVERTED | {
    "to": "RUB",
    "converted": None,
    "rate": None,
    "rated_on": None,
    "unconverted": ["USD"],
    "complete": False,
}
QUOTE: dict[str, Any] = {
    "quote_id": "0199d0a8-0000-7000-8000-00000000f001",
    "from": "USD",
    "to": "EUR",
    "amount": "100.00",
    "to_amount": "92.95",
    "rate": "0.9341429238673517048",
    "rated_on": "2026-01-02",
    "stale": False,
    "spread_bps": 50,
    "remainder": "-0.00277907519850",
    "created_at": "2026-01-02T16:04:05.678901Z",
    "expires_at": "2026-01-02T16:05:05.678901Z",
}

_RATE = "What one unit of `base` is worth in units of `quote`."
_BASE = "The currency of which the rate prices one unit."
_QUOTE = "The currency in which it is priced."
_FROM = "The currency of the amount."
_TO = "The currency that it is converted to."
_RATED_ON = "The day of the rate: of one by way of the euro, the older of the two. Null: there is none."
_STALE = "Whether the rate is older than rates may be, because no newer one has come."
RATE_TEXT = Annotated[
    str,
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "examples": ["1.0705"]}),
]
SIGNED_TEXT = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["-0.00277907519850"]}
    ),
]


class RateSet(BaseModel):
    """A rate of a day."""

    model_config = ConfigDict(extra="forbid")

    base: CurrencyCode = Field(description=_BASE)
    quote: CurrencyCode = Field(description=_QUOTE)
    day: Day = Field(description="Its day, not after today.")
    rate: Amount | None = Field(description=f"{_RATE} More than 0. Null: it is removed.")


class RatesPut(BaseModel):
    """Rates to set."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"rates": [{"base": "EUR", "quote": "USD", "day": "2026-01-02", "rate": "1.0705"}]}]
        },
    )

    book_id: UUID | None = Field(
        default=None,
        description="The book whose own rates they are, which win there. Default: of the service.",
    )
    rates: list[RateSet] = Field(
        min_length=1, max_length=MOST_RATES, description="The rates: all are set, or none."
    )


class Rate(BaseModel):
    """A stored rate."""

    model_config = ConfigDict(json_schema_extra={"examples": [RATE]})

    book_id: UUID | None = Field(description="The book whose own rate it is; null: the service's.")
    base: str = Field(description=_BASE)
    quote: str = Field(description=_QUOTE)
    day: date = Field(description="Its day.")
    rate: RATE_TEXT = Field(description=_RATE)
    source: str = Field(
        description="Where it comes from: `ecb_history` (with the package), `provider`, `manual` (it was set). Later "
        "releases add sources."
    )
    updated_at: AwareDatetime = Field(description="When it was stored.")


class RateList(BaseModel):
    """What is stored now of the rates of a request, in its order, without those that were removed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rates": [RATE | {"source": "manual"}]}]})

    rates: list[Rate] = Field(description="The rates.")


class RatePage(BaseModel):
    """Rates of the service or of a book, the newest day first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [RATE], "next_cursor": None}]})

    items: list[Rate] = Field(description="The rates.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")


class RatesChange(BaseModel):
    """Rates that were set or removed, as they were or are stored."""

    book_id: UUID | None = Field(description="The book whose own rates they are; null: the service's.")
    source: str = Field(description="Where they come from: `manual`.")
    count: int = Field(description="How many there are.")
    rates: list[Rate] = Field(description="The rates.")


class RatesLoad(BaseModel):
    """Rates of the service that were loaded."""

    source: str = Field(description="Where they come from: `ecb_history` or `provider`.")
    count: int = Field(description="How many are new or changed.")
    first_day: date = Field(description="The oldest day of them.")
    last_day: date = Field(description="The newest day of them.")


class RateQuery(BaseModel):
    """Which rates a list has."""

    model_config = ConfigDict(extra="forbid")

    book_id: UUID | None = Field(
        default=None, description="The book whose own rates are listed. Default: those of the service."
    )
    base: CurrencyCode | None = Field(default=None, description="Only those that price this currency.")
    quote: CurrencyCode | None = Field(default=None, description="Only those in this currency.")
    first_day: Day | None = Field(default=None, description="Only those of this day and later ones.")
    last_day: Day | None = Field(default=None, description="Only those of this day and earlier ones.")
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT

    def filters(self) -> dict[str, Any]:
        """The members by which rates are selected, as SQL names them."""
        return {
            "base": self.base,
            "quote": self.quote,
            "first": self.first_day,
            "last": self.last_day,
        }


class ConvertQuery(BaseModel):
    """What is converted."""

    model_config = ConfigDict(extra="forbid")

    from_: CurrencyCode = Field(alias="from", description=_FROM)
    to: CurrencyCode = Field(description=_TO)
    amount: AmountInQuery = Field(description="0 or more, with at most the decimals of its currency.")
    day: Day | None = Field(
        default=None, description="The day whose rate counts. Default: today, in the book's time zone or UTC."
    )
    book_id: UUID | None = Field(
        default=None, description="The book whose own rates count before those of the service."
    )


class Converted(BaseModel):
    """What an amount is worth in another currency. Nothing was posted."""

    model_config = ConfigDict(json_schema_extra={"examples": [CONVERTED]})

    from_: str = Field(alias="from", description=_FROM)
    to: str = Field(description=_TO)
    amount: AmountText = Field(description="The amount.")
    day: date = Field(description="The day whose rate was looked for.")
    converted: AmountText | None = Field(
        description="The amount in `to`, rounded once, half away from zero. Null: there is no rate."
    )
    rate: RATE_TEXT | None = Field(
        description="What one unit of `from` is worth in units of `to`, with at least 18 significant digits."
    )
    rated_on: date | None = Field(description=_RATED_ON)
    stale: bool = Field(description=_STALE)
    unconverted: list[str] = Field(description="Currencies without a rate, which the result leaves out.")
    complete: bool = Field(description="Whether the result leaves out nothing.")


class QuoteCreate(BaseModel):
    """A price to be fixed."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"from": "USD", "to": "EUR", "amount": "100.00"}]}
    )

    from_: CurrencyCode = Field(alias="from", description=_FROM)
    to: CurrencyCode = Field(description=_TO)
    amount: Amount = Field(description="The amount in `from`.")


class Quote(BaseModel):
    """A price that holds for a time. Its caller names it in conversions of this amount."""

    model_config = ConfigDict(json_schema_extra={"examples": [QUOTE]})

    quote_id: UUID = Field(description="The quote's id, a UUIDv7.")
    from_: str = Field(alias="from", description=_FROM)
    to: str = Field(description=_TO)
    amount: AmountText = Field(description="The amount in `from`.")
    to_amount: AmountText = Field(description="What it becomes, less the spread, rounded once.")
    rate: RATE_TEXT = Field(
        description="What one unit of `from` is worth in units of `to`, without the spread."
    )
    rated_on: date = Field(description=_RATED_ON)
    stale: bool = Field(description=_STALE)
    spread_bps: int = Field(description="What the conversion keeps, in hundredths of a percent.")
    remainder: SIGNED_TEXT = Field(description="What rounding left: the exact amount less `to_amount`.")
    created_at: AwareDatetime = Field(description="When it was made.")
    expires_at: AwareDatetime = Field(description="Until when it holds.")
