"""Requests and responses of lists and sums of usage."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from wallet_service.billing.rates.schemas import USAGE, MeterName, NumberText, Usage
from wallet_service.core.money import AmountText
from wallet_service.money.examples import WALLET_ID
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit

MOST_GROUPS = 5


class UsageEventsQuery(BaseModel):
    """Which events of a wallet."""

    model_config = ConfigDict(extra="forbid")

    meter: MeterName | None = Field(default=None, description="Only those of this meter.")
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT


class UsagePage(BaseModel):
    """Events of a wallet, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [USAGE], "next_cursor": None}]})

    items: list[Usage] = Field(description="The events of the page.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")


class UsageTotalsQuery(BaseModel):
    """Which usage of a wallet, and how it is grouped."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    group_by: Annotated[
        str,
        StringConstraints(pattern=r"^[a-zA-Z][a-zA-Z0-9._\-]{0,39}(,[a-zA-Z][a-zA-Z0-9._\-]{0,39}){0,4}$"),
    ] = Field(
        default="meter",
        description="`meter`, `day`, `month`, and names of dimensions, separated by commas; at most five.",
        examples=["meter,day"],
    )
    meter: MeterName | None = Field(default=None, description="Only usage of this meter.")
    from_: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] | None = Field(
        default=None,
        alias="from",
        description="The first day, in the time zone of the rate card. Default: the first day of the month of `to`.",
    )
    to: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] | None = Field(
        default=None, description="The last day. Default: today, in UTC."
    )
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT


_TOTALS: dict[str, Any] = {
    "wallet_id": WALLET_ID,
    "currency": "CREDIT",
    "from": "2026-01-01",
    "to": "2026-01-02",
    "group_by": ["meter", "day"],
    "items": [
        {
            "group": {"meter": "tokens", "day": "2026-01-02"},
            "quantity": "1200",
            "amount": "2.400000",
            "events": 1,
        }
    ],
    "next_cursor": None,
}


class UsageTotal(BaseModel):
    """What was used in one group."""

    model_config = ConfigDict(json_schema_extra={"examples": _TOTALS["items"]})

    group: dict[str, str | None] = Field(
        description="The values of the group, by the names of `group_by`; null: the events had no such dimension."
    )
    quantity: NumberText | None = Field(
        description="The sum of the quantities; null: they are of several meters."
    )
    amount: AmountText = Field(description="The sum of the amounts.")
    events: int = Field(description="How many events.")


class UsageTotals(BaseModel):
    """What a wallet used in some days, by groups."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TOTALS]}, populate_by_name=True)

    wallet_id: UUID = Field(description="The wallet.")
    currency: str = Field(description="The currency of the amounts.")
    from_: str = Field(alias="from", description="The first day.")
    to: str = Field(description="The last day.")
    group_by: list[str] = Field(description="The names of the groups.")
    items: list[UsageTotal] = Field(description="The groups of the page, in order.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")
