"""Health checks: whether the service is alive, and whether it is ready. They need no key."""

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends
from prometheus_client import CollectorRegistry, Gauge
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from wallet_service import __version__
from wallet_service.core.errors import Unavailable, WalletError
from wallet_service.core.room import Room, RoomContext
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.database.sql_files import latest_migration, read_indexes
from wallet_service.platform.web.head_and_options import add_head_and_options
from wallet_service.platform.web.openapi import problems
from wallet_service.rooms import ROOMS

router = APIRouter(prefix="/health", tags=["health"])

_WATCH_S = 15.0

_log = structlog.get_logger(__name__)


class Live(BaseModel):
    """The process is alive."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok", "version": __version__}]})

    status: Literal["ok"]
    version: str


class Ready(BaseModel):
    """The database is reachable and has every migration of this release."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ok",
                    "version": __version__,
                    "migration": latest_migration(ROOMS),
                    "indexes_missing": [],
                }
            ]
        }
    )

    status: Literal["ok"]
    version: str
    migration: str
    indexes_missing: list[str] = Field(
        description="Indexes that are missing or not completely built. The service works without them, slower; "
        "`wallet-service migrate` builds them."
    )


class Readiness:
    """Checks whether the service is ready: the database responds and has every migration of the rooms."""

    def __init__(self, database: Database, rooms: Sequence[Room]) -> None:
        self._database = database
        self._migration = latest_migration(rooms)
        self._indexes = Json.of([index.qualified for index in read_indexes(rooms)])

    async def check(self) -> Ready:
        """Read the state of the database.

        Raises:
            Unavailable: the database does not respond, or lacks migrations.
            WalletError: any other failure of the call.
        """
        health = json.loads(await self._database.read("read_health", indexes=self._indexes))
        if health["migration"] < self._migration:
            raise Unavailable("The database lacks migrations: run wallet-service migrate")
        return Ready(
            status="ok",
            version=__version__,
            migration=health["migration"],
            indexes_missing=health["indexes_missing"],
        )


async def _readiness(request: Request) -> Readiness:
    return request.app.state.readiness


ReadinessOf = Annotated[Readiness, Depends(_readiness)]


@contextlib.asynccontextmanager
async def measured_readiness(
    readiness: Readiness, registry: CollectorRegistry, every_s: float = _WATCH_S
) -> AsyncGenerator[None]:
    """Do the check of /health/ready at an interval and set ``wallet_ready`` by it, so that an alert can use it."""
    gauge = Gauge(
        "wallet_ready",
        "1 while the service is ready, by the check of /health/ready every 15 s. NaN before the first check.",
        registry=registry,
    )
    gauge.set(math.nan)
    task = asyncio.create_task(_watch(readiness, gauge, every_s))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@contextlib.asynccontextmanager
async def watch_readiness(context: RoomContext) -> AsyncGenerator[None]:
    """The check of the application, as ``state.readiness``; its result is also a metric."""
    context.state.readiness = Readiness(context.state.database, context.rooms)
    async with measured_readiness(context.state.readiness, context.metrics):
        yield


async def _watch(readiness: Readiness, gauge: Gauge, every_s: float) -> None:
    last: str | None = None
    while True:
        await asyncio.sleep(every_s)
        reason = await _reason_not_ready(readiness)
        gauge.set(reason == "")
        if reason and reason != last:
            _log.warning("not_ready", reason=reason)
        elif last and not reason:
            _log.info("ready_again")
        last = reason


async def _reason_not_ready(readiness: Readiness) -> str:
    """Why the service is not ready; empty if it is."""
    try:
        await readiness.check()
    except WalletError as error:
        return error.detail
    except Exception:  # noqa: BLE001 - logged; the loop must go on
        _log.exception("readiness_failed")
        return "a fault of the service"
    return ""


@router.get("/live", summary="Whether the process is alive")
async def live() -> Live:
    """Restart the process when this fails."""
    return Live(status="ok", version=__version__)


@router.get("/ready", responses=problems(Unavailable), summary="Whether the service is ready")
async def ready(readiness: ReadinessOf) -> Ready:
    """Send no traffic while this fails. It succeeds if the database is reachable and has all migrations."""
    return await readiness.check()


@router.get("", responses=problems(Unavailable), summary="The same as /health/ready")
async def health(readiness: ReadinessOf) -> Ready:
    """For load balancers that expect this path."""
    return await readiness.check()


add_head_and_options(router)
