"""Limits of files."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import RoomSettings


class FilesSettings(RoomSettings):
    """How large files may be, and how long they are kept."""

    model_config = SettingsConfigDict(env_prefix="WALLET_FILES_")

    max_bytes: Annotated[int, Field(ge=1, le=2**34)] = Field(
        default=100 * 2**20, description="most bytes of an uploaded file"
    )
    quota_bytes: Annotated[int, Field(ge=1, le=2**50)] = Field(
        default=2**30, description="most bytes of all files of a client or user together"
    )
    keep_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        default=90, description="days after which a file expires; an upload may name an earlier moment"
    )
