"""Settings of grants."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import RoomSettings


class GrantsSettings(RoomSettings):
    """What a new grant has where the request does not say it."""

    model_config = SettingsConfigDict(env_prefix="WALLET_GRANTS_")

    notice_s: Annotated[int, Field(ge=0, le=315_360_000)] = Field(
        default=259_200,
        description="seconds before the end of a grant at which the event `grant.ending` is recorded; 0: never",
    )
    refund_grace_s: Annotated[int, Field(ge=0, le=315_360_000)] = Field(
        default=0,
        description="seconds for which credits can be used that a refund gives back after their grant has ended; 0: they "
        "expire at once",
    )

    def defaults(self) -> dict[str, int]:
        """What SQL adds where a request says nothing.

        It is no part of the request: a key that was spent before the settings changed has the same request after it.
        """
        return {"notice_s": self.notice_s, "refund_grace_s": self.refund_grace_s}
