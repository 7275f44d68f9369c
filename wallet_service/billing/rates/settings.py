"""Settings of rated usage."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import RoomSettings


class RatesSettings(RoomSettings):
    """What a new meter has where the request does not say it."""

    model_config = SettingsConfigDict(env_prefix="WALLET_RATES_")

    max_age_s: Annotated[int, Field(ge=0, le=31_622_400)] = Field(
        default=2_937_600,
        description="seconds for which a new meter accepts events after their timestamp, unless its request says "
        "otherwise; 2937600 are 34 days",
    )
