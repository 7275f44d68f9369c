"""Settings of the import of opening balances."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import RoomSettings


class OpeningBalancesSettings(RoomSettings):
    """The limit of an import."""

    model_config = SettingsConfigDict(env_prefix="WALLET_IMPORT_")

    max_bytes: Annotated[int, Field(ge=1024)] = Field(
        default=104_857_600, description="most bytes of the body of an import"
    )
