"""Responses about events."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

_EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "6b9c2f0e-7d1a-8c3b-9e55-0d3f6a1b2c4d",
    "source": "urn:wallet:ledger",
    "type": "transaction.posted",
    "subject": "0199d0a8-0000-7000-8000-0000000000aa",
    "time": "2026-11-28T12:00:00.000000Z",
    "datacontenttype": "application/json",
    "dataschema": "urn:wallet:event:transaction.posted:1",
    "sequence": "0000000000000000042",
    "walletid": "0199d0a8-0000-7000-8000-0000000000bb",
    "walletversion": "7",
    "data": {"transaction_type": "consume", "direction": "debit", "amount": "0.25", "currency": "CREDIT"},
}


class CloudEvent(BaseModel):
    """An event in the JSON format of CloudEvents 1.0. `walletid` and `walletversion` are left out where there is none."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    specversion: Literal["1.0"] = Field(description="Of CloudEvents.")
    id: str = Field(description="Unique, and the same whenever the event is read.")
    source: str = Field(description="The ledger: `WALLET_EVENTS_SOURCE`.")
    type: str = Field(description="What happened; `GET /api/v1/events/types` lists the types.")
    subject: str = Field(description="The transaction, or the object that changed.")
    time: AwareDatetime = Field(description="When it happened.")
    datacontenttype: Literal["application/json"] = Field(description="Of `data`.")
    dataschema: str = Field(description="Names the JSON Schema of `data`: type and version.")
    sequence: str = Field(
        description="The event's number: without gaps, in the order of the stream. 19 digits, so texts compare alike."
    )
    walletid: str | None = Field(default=None, description="The wallet that the event is about.")
    walletversion: str | None = Field(
        default=None, description="Of `transaction.posted`: the number of the entry within its wallet."
    )
    data: dict[str, Any] = Field(description="As the schema of the type describes it.")


class EventPage(BaseModel):
    """Events in their order, oldest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [_EXAMPLE],
                    "next_cursor": "WyJldmVudHMiLCIyYTVlZDM2YzNjOTk2YzZmIixbNDJdXQ",
                    "has_more": False,
                }
            ]
        }
    )

    items: list[CloudEvent] = Field(description="The events of the page. It may be short, even empty.")
    next_cursor: str = Field(description="Continues after this page, at any later time. It is never null.")
    has_more: bool = Field(
        description="Whether there are events after this page now. They may not be for you."
    )


_TYPE: dict[str, Any] = {
    "type": "transaction.posted",
    "version": 1,
    "summary": "An entry was posted: one event for each wallet of a posting.",
    "dataschema": "urn:wallet:event:transaction.posted:1",
    "schema": {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
}


class EventTypeEntry(BaseModel):
    """A type of events."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TYPE]})

    type: str = Field(description="The CloudEvents `type`.")
    version: int = Field(
        description="Of the schema of its data. It goes up when a member goes or changes its meaning."
    )
    summary: str = Field(description="What happened.")
    dataschema: str = Field(description="The CloudEvents `dataschema`.")
    schema_: dict[str, Any] = Field(alias="schema", description="The JSON Schema of `data`.")


class EventTypes(BaseModel):
    """All types of events."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_TYPE]}]})

    items: list[EventTypeEntry] = Field(description="Sorted by type.")
