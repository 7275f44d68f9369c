"""Settings of holds."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import RoomSettings


class HoldsSettings(RoomSettings):
    """How long holds last, and how many a wallet may have."""

    model_config = SettingsConfigDict(env_prefix="WALLET_HOLDS_")

    expires_in_s: Annotated[int, Field(ge=1, le=31_622_400)] = Field(
        default=3600, description="seconds after which a hold expires whose request does not say it"
    )
    longest_s: Annotated[int, Field(ge=1, le=31_622_400)] = Field(
        default=2_592_000,
        description="the most seconds from the creation of a hold to its end, also when it is extended: 30 days",
    )
    most_open: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=1000, description="the most open holds of a wallet; a further one is refused as `hold_limit`"
    )
    notice_s: Annotated[int, Field(ge=0, le=31_622_400)] = Field(
        default=300,
        description="seconds before the end of a hold at which the event `hold.ending` is recorded; 0: never",
    )

    def defaults(self) -> dict[str, int]:
        """The settings as SQL reads them. They are no part of a request: a later attempt may differ in them."""
        return {name: getattr(self, name) for name in ("expires_in_s", "longest_s", "most_open", "notice_s")}
