"""Settings of events."""

from typing import Annotated

from pydantic import Field, StringConstraints
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import RoomSettings


class EventsSettings(RoomSettings):
    """How events name this service, how long they are kept, and how they are streamed."""

    model_config = SettingsConfigDict(env_prefix="WALLET_EVENTS_")

    source: Annotated[str, StringConstraints(pattern=r"^[!#-;=?-Z_a-z~]{1,200}$")] = Field(
        default="urn:wallet:ledger",
        description="CloudEvents `source` of events: a URI that names this ledger",
    )
    retention_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        default=90, description="days for which events are kept; ledger entries are kept for ever"
    )
    poll_ms: Annotated[int, Field(ge=10, le=60_000)] = Field(
        default=250, description="milliseconds between two reads of new events, while a stream is open"
    )
    max_streams: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=1000, description="most open streams of one instance; another one is refused as `overloaded`"
    )
