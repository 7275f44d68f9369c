"""Settings of jobs and of the worker."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import RoomSettings


class JobsSettings(RoomSettings):
    """Who runs jobs, how many at once, and how long finished ones are kept."""

    model_config = SettingsConfigDict(env_prefix="WALLET_")

    worker: bool = Field(
        default=True,
        description="whether `serve` also runs jobs. With workers of their own (`wallet-service worker`): `false`",
    )
    worker_concurrency: Annotated[int, Field(ge=1, le=100)] = Field(
        default=4, description="jobs that one worker runs at the same time"
    )
    worker_poll_ms: Annotated[int, Field(ge=50, le=60_000)] = Field(
        default=1000,
        description="longest pause in milliseconds after which an idle worker looks for jobs that others have enqueued",
    )
    worker_grace_ms: Annotated[int, Field(ge=0, le=3_600_000)] = Field(
        default=10_000,
        description="milliseconds that a worker that stops gives its jobs to end; it returns the others to the queue",
    )
    worker_host: Annotated[str, Field(min_length=1)] = Field(
        default="127.0.0.1",
        description="address on which `wallet-service worker` serves its health and metrics",
    )
    worker_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=0,
        description="TCP port on which `wallet-service worker` serves `/health/live`, `/health/ready` and `/metrics`; "
        "`0` takes a free port, which it prints",
    )
    jobs_keep_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        default=7, description="days after which a job that has succeeded or was cancelled is removed"
    )
    jobs_keep_dead_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        default=90, description="days after which a dead job is removed"
    )
