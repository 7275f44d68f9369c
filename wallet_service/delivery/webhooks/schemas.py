"""Requests and responses about webhooks."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from wallet_service.core.fields import Line, Text, Timestamp
from wallet_service.delivery.webhooks.destinations import LONGEST_URL

MOST_TYPES = 50
LONGEST_OVERLAP_S = 30 * 86_400
LARGEST_NUMBER = 2**53 - 1
"""Of an event, in JSON: other languages read larger numbers inexactly."""

Url = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_URL), Field(json_schema_extra={"format": "uri"})
]
EventTypeNames = Annotated[list[Line], Field(min_length=1, max_length=MOST_TYPES)]
State = Literal["pending", "delivered", "dead"]

_ENDPOINT: dict[str, Any] = {
    "endpoint_id": "0199d0a8-0000-7000-8000-00000000e001",
    "url": "https://hooks.example.com/wallet",
    "description": "invoices",
    "event_types": ["transaction.posted"],
    "status": "active",
    "disabled_reason": None,
    "failing_since": None,
    "old_secret_until": None,
    "version": 1,
    "created_at": "2026-11-28T12:00:00.000000Z",
    "updated_at": "2026-11-28T12:00:00.000000Z",
}
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of the examples
_DELIVERY: dict[str, Any] = {
    "number": 42,
    "event_id": "6b9c2f0e-7d1a-8c3b-9e55-0d3f6a1b2c4d",
    "event_type": "transaction.posted",
    "wallet_id": "0199d0a8-0000-7000-8000-0000000000bb",
    "state": "delivered",
    "attempts": 1,
    "due_at": None,
    "created_at": "2026-11-28T12:00:00.000000Z",
    "ended_at": "2026-11-28T12:00:00.250000Z",
}
_ATTEMPT: dict[str, Any] = {
    "outcome": "delivered",
    "status": 204,
    "error": None,
    "detail": None,
    "body": "",
    "duration_ms": 31,
}
_LOGGED: dict[str, Any] = {"attempt": 1, "attempted_at": "2026-11-28T12:00:00.250000Z", **_ATTEMPT}


class WebhookCreate(BaseModel):
    """A new endpoint."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"url": "https://hooks.example.com/wallet", "event_types": ["transaction.posted"]}]
        },
    )

    url: Url = Field(
        description="Where events are sent by POST: an https URL of an address on the internet, or of a network that the "
        "operator allows."
    )
    description: Text = Field(default="", description="For people.")
    event_types: EventTypeNames | None = Field(
        default=None,
        description="Only events of these types. Default: all. `GET /api/v1/events/types` lists them.",
    )


class WebhookPatch(BaseModel):
    """A merge patch (RFC 7396). Absent members stay."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"status": "disabled"}]})

    # model_fields_set shows which members are absent. A factory keeps a default that is never used out of OpenAPI.
    url: Url = Field(default_factory=str, description="Where events are sent from now on.")
    description: Text = Field(default_factory=str, description="For people.")
    event_types: EventTypeNames | None = Field(
        default_factory=lambda: None, description="Only events of these types; null: all."
    )
    status: Literal["active", "disabled"] = Field(
        default_factory=lambda: "active",
        description="While `disabled`, nothing is sent. When it is `active` again, it goes on where it stopped.",
    )


class WebhookEndpoint(BaseModel):
    """An endpoint: where events of a client are sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENDPOINT]})

    endpoint_id: UUID = Field(description="The endpoint's id, a UUIDv7.")
    url: str = Field(description="Where events are sent. In events and in the audit trail without its query.")
    description: str = Field(description="For people.")
    event_types: list[str] | None = Field(description="Only events of these types; null: all.")
    status: Literal["active", "disabled"] = Field(description="While `disabled`, nothing is sent.")
    disabled_reason: str | None = Field(
        description="`request`: by its client. `gone`: the receiver answered 410. `failing`: no attempt has succeeded "
        "for days. `client`: no key of its client is valid. Null while it is active."
    )
    failing_since: AwareDatetime | None = Field(
        description="The first failed attempt since the last one that succeeded; null: the last one did."
    )
    old_secret_until: AwareDatetime | None = Field(
        description="After a rotation: until then messages are also signed with the secret before; null: they are not."
    )
    version: int = Field(description="Counts its changes, from 1. `If-Match` compares it.")
    created_at: AwareDatetime = Field(description="When it was created.")
    updated_at: AwareDatetime = Field(description="When it was last changed.")


class CreatedWebhook(WebhookEndpoint):
    """A new endpoint with its secret, which is shown only here."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENDPOINT | {"secret": _SECRET}]})

    secret: str | None = Field(
        description="Verifies messages: `whsec_…`. Store it now. Null in a replay after it has become invalid."
    )


class WebhookPage(BaseModel):
    """Endpoints of the client, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_ENDPOINT], "next_cursor": None}]})

    items: list[WebhookEndpoint] = Field(description="The endpoints of the page.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")


class SecretRotation(BaseModel):
    """How a secret is replaced."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"overlap_s": 86400}]})

    overlap_s: Annotated[int, Field(ge=0, le=LONGEST_OVERLAP_S, strict=True)] = Field(
        default=86_400,
        description="For how many seconds messages are also signed with the secret before. 0: it is invalid at once.",
    )


class RotatedSecret(BaseModel):
    """The new secret, which is shown only here."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "secret_id": "0199d0a8-0000-7000-8000-00000000e0a1",
                    "endpoint_id": _ENDPOINT["endpoint_id"],
                    "old_secret_until": "2026-11-29T12:00:00.000000Z",
                    "secret": _SECRET,
                }
            ]
        }
    )

    secret_id: UUID = Field(description="Names the secret.")
    endpoint_id: UUID = Field(description="The endpoint.")
    old_secret_until: AwareDatetime | None = Field(
        description="Until then messages are also signed with the secret before; null: they are not."
    )
    secret: str | None = Field(
        description="`whsec_…`. Store it now. Null in a replay after it has become invalid."
    )


class AttemptResult(BaseModel):
    """How an attempt ended."""

    outcome: Literal["delivered", "failed", "gone"] = Field(
        description="`delivered`: a status from 200 to 299. `gone`: 410."
    )
    status: int | None = Field(description="Of the response; null if there was none.")
    error: str | None = Field(
        description="Without a response: `timeout`, `refused` (the address may not be reached), `connection`, `tls`, "
        "`protocol`, `event_removed` or `secret_unavailable`."
    )
    detail: str | None = Field(description="Of the error, for people.")
    body: str = Field(description="The beginning of the response.")
    duration_ms: int = Field(description="Of the attempt.")


class Ping(AttemptResult):
    """How the test event was received."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"message_id": "0199d0a8-0000-7000-8000-00000000e0b1"} | _ATTEMPT]}
    )

    message_id: UUID = Field(description="The header `webhook-id` of the message.")


class LoggedAttempt(AttemptResult):
    """An attempt of a delivery."""

    attempt: int = Field(description="Its number, from 1, replays included.")
    attempted_at: AwareDatetime = Field(description="When it ended.")


class Delivery(BaseModel):
    """An event for an endpoint."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DELIVERY]})

    number: int = Field(description="Of the event, in the order of all events: its `sequence`.")
    event_id: UUID = Field(description="Of the event. It is the header `webhook-id` of each attempt.")
    event_type: str = Field(description="The type of the event.")
    wallet_id: UUID | None = Field(description="The wallet that the event is about; null: none.")
    state: State = Field(
        description="`pending`: it will be sent, or sent again. `delivered`. `dead`: no attempt succeeded in three days."
    )
    attempts: int = Field(description="Attempts so far, replays included.")
    due_at: AwareDatetime | None = Field(
        description="The earliest moment of the next attempt; null: none is planned."
    )
    created_at: AwareDatetime = Field(description="When the event was first meant for the endpoint.")
    ended_at: AwareDatetime | None = Field(description="When it was delivered, or dead; null while pending.")


class DeliveryPage(BaseModel):
    """Deliveries of an endpoint, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_DELIVERY], "next_cursor": None}]})

    items: list[Delivery] = Field(description="The deliveries of the page.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")


class DeliveryWithLog(Delivery):
    """A delivery with its attempts."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_DELIVERY, "log": [_LOGGED]}]})

    log: list[LoggedAttempt] = Field(description="Its newest 100 attempts, the first one first.")


class Replay(BaseModel):
    """What is delivered again: exactly one member."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"from_time": "2026-11-28T12:00:00Z"}]}
    )

    from_time: Timestamp | None = Field(default=None, description="The events of this moment and later ones.")
    from_event: UUID | None = Field(
        default=None, description="The event with this id, which was meant for the endpoint, and later ones."
    )
    from_number: Annotated[int, Field(ge=1, le=LARGEST_NUMBER, strict=True)] | None = Field(
        default=None, description="The event with this number and later ones."
    )
    number: Annotated[int, Field(ge=1, le=LARGEST_NUMBER, strict=True)] | None = Field(
        default=None, description="This delivery."
    )
    dead: Literal[True] | None = Field(
        default=None, description="`true`: dead deliveries, at most 1,000, the oldest first."
    )

    @model_validator(mode="after")
    def _one(self) -> "Replay":
        if len(self.choice()) != 1:
            raise PydanticCustomError(
                "replay_choice",
                "must have exactly one of from_time, from_event, from_number, number and dead",
            )
        return self

    def choice(self) -> dict[str, Any]:
        """The member that is given."""
        return self.model_dump(mode="json", exclude_none=True)


class Replayed(BaseModel):
    """What is delivered again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"from_number": 40, "upto_number": 42, "deliveries": None, "more": False}]
        }
    )

    from_number: int | None = Field(description="The first event; null: none.")
    upto_number: int | None = Field(description="The last event; null: none. Newer ones follow anyway.")
    deliveries: int | None = Field(
        description="How many are pending again now; null: the workers find them in the background, in order."
    )
    more: bool = Field(description="Whether there can be more dead ones: send the request again.")
