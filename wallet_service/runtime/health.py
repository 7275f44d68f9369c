"""Health checks: whether the service is alive, and whether it is ready. They need no key."""

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncGenerator
from typing import Literal

import structlog
from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Gauge
from pydantic import BaseModel, ConfigDict

from wallet_service import __version__
from wallet_service.core.errors import Unavailable, WalletError
from wallet_service.core.room import RoomContext
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.database.sql_files import latest_migration
from wallet_service.platform.web.openapi import problems
from wallet_service.platform.web.state import DatabaseOf

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
            "examples": [{"status": "ok", "version": __version__, "migration": latest_migration()}]
        }
    )

    status: Literal["ok"]
    version: str
    migration: str


async def _ready(database: Database) -> Ready:
    health = json.loads(await database.read("health"))
    if health["migration"] < latest_migration():
        raise Unavailable("The database lacks migrations: run wallet-service migrate")
    return Ready(status="ok", version=__version__, migration=health["migration"])


@contextlib.asynccontextmanager
async def measured_readiness(
    database: Database, registry: CollectorRegistry, every_s: float = _WATCH_S
) -> AsyncGenerator[None]:
    """Do the check of /health/ready at an interval and set ``wallet_ready`` by it, so that an alert can use it."""
    gauge = Gauge(
        "wallet_ready",
        "1 while the service is ready, by the check of /health/ready every 15 s. NaN before the first check.",
        registry=registry,
    )
    gauge.set(math.nan)
    task = asyncio.create_task(_watch(database, gauge, every_s))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@contextlib.asynccontextmanager
async def watch_readiness(context: RoomContext) -> AsyncGenerator[None]:
    """Measure the readiness of the application while it runs."""
    async with measured_readiness(context.state.database, context.metrics):
        yield


async def _watch(database: Database, gauge: Gauge, every_s: float) -> None:
    last: str | None = None
    while True:
        await asyncio.sleep(every_s)
        reason = await _reason_not_ready(database)
        gauge.set(reason == "")
        if reason and reason != last:
            _log.warning("not_ready", reason=reason)
        elif last and not reason:
            _log.info("ready_again")
        last = reason


async def _reason_not_ready(database: Database) -> str:
    """Why the service is not ready; empty if it is."""
    try:
        await _ready(database)
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
async def ready(database: DatabaseOf) -> Ready:
    """Send no traffic while this fails. It succeeds if the database is reachable and has all migrations."""
    return await _ready(database)


@router.get("", responses=problems(Unavailable), summary="The same as /health/ready")
async def health(database: DatabaseOf) -> Ready:
    """For load balancers that expect this path."""
    return await _ready(database)
