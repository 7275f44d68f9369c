"""Whether the service lives, and whether it can do its work. Open doors: no key is needed."""

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
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok", "version": __version__}]})

    status: Literal["ok"]
    version: str


class Ready(BaseModel):
    """The database was reached and has every migration of this release."""

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
async def watching(
    database: Database, registry: CollectorRegistry, every_s: float = _WATCH_S
) -> AsyncGenerator[None]:
    """Ask what /health/ready asks, again and again, and show the answer: somebody has to, to be alerted by it."""
    shown = Gauge(
        "wallet_ready",
        "1 while the service can do its work, as /health/ready says; it asks itself every 15 s. NaN until it first did.",
        registry=registry,
    )
    shown.set(math.nan)
    task = asyncio.create_task(_watch(database, shown, every_s))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@contextlib.asynccontextmanager
async def watch_readiness(context: RoomContext) -> AsyncGenerator[None]:
    """Show the readiness of the application as a metric."""
    async with watching(context.state.database, context.metrics):
        yield


async def _watch(database: Database, shown: Gauge, every_s: float) -> None:
    was: str | None = None
    while True:
        await asyncio.sleep(every_s)
        now = await _lack(database)
        shown.set(now == "")
        if now and now != was:
            _log.warning("not_ready", reason=now)
        elif was and not now:
            _log.info("ready_again")
        was = now


async def _lack(database: Database) -> str:
    """Why the service is not ready; nothing when it is."""
    try:
        await _ready(database)
    except WalletError as error:
        return error.detail
    except Exception:  # noqa: BLE001 - logged; a watch that ended would say nothing any more
        _log.exception("readiness_failed")
        return "a fault of the service"
    return ""


@router.get("/live", summary="Does the process answer")
async def live() -> Live:
    """Restart the process when this fails."""
    return Live(status="ok", version=__version__)


@router.get("/ready", responses=problems(Unavailable), summary="Can it do its work")
async def ready(database: DatabaseOf) -> Ready:
    """Send no traffic while this fails: the database is reached and its migrations are current."""
    return await _ready(database)


@router.get("", responses=problems(Unavailable), summary="The same as ready")
async def health(database: DatabaseOf) -> Ready:
    """The same as /health/ready, for those who know one path only."""
    return await _ready(database)
