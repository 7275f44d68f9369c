"""Settings of the sample room."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import RoomSettings


class NotesSettings(RoomSettings):
    """How long notes are."""

    model_config = SettingsConfigDict(env_prefix="WALLET_NOTES_")

    longest: Annotated[int, Field(ge=1)] = Field(default=40, description="most characters of a note")
