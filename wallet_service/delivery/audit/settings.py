"""How long the audit trail is kept."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import RoomSettings


class AuditSettings(RoomSettings):
    """The retention of the audit trail."""

    model_config = SettingsConfigDict(env_prefix="WALLET_AUDIT_")

    retention_days: Annotated[int, Field(ge=30, le=36_500)] = Field(
        default=3650,
        description="days for which entries of the audit trail are kept; a job deletes older ones every day",
    )
