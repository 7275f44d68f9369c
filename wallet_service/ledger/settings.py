"""Group commit: how much waits and leaves at a time."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import RoomSettings


class CommitSettings(RoomSettings):
    """Lanes, batches and waits."""

    model_config = SettingsConfigDict(env_prefix="WALLET_COMMIT_")

    lanes: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1,
        description="batches of postings at a time; each wallet belongs to one lane. See "
        "[performance](performance.md#lanes)",
    )
    batch_operations: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=200, description="most operations of a batch; a request with more is a batch by itself"
    )
    queue_operations: Annotated[int, Field(ge=1)] = Field(
        default=10_000,
        description="most operations that wait for their batch; more are refused with 503 `overloaded`. As "
        "many can wait for wallets that another session has locked; more are refused with 503 "
        "`wallet_busy`",
    )
    queue_wait_ms: Annotated[int, Field(ge=1, le=60_000)] = Field(
        default=5000,
        description="most milliseconds that an operation waits for its batch; then 503 `overloaded`",
    )
    lock_wait_ms: Annotated[int, Field(ge=1, le=60_000)] = Field(
        default=2000,
        description="most milliseconds that an operation waits for a wallet that another session has locked, "
        "and never longer than half of `WALLET_DATABASE_TIMEOUT_MS`; then 503 `wallet_busy`",
    )
