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
from wallet_service.core.room import Room
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.database.hosts import Role
from wallet_service.platform.database.sql_files import exposed_functions, latest_migration, read_indexes
from wallet_service.platform.web.head_and_options import add_head_and_options
from wallet_service.platform.web.openapi import problems
from wallet_service.rooms import ROOMS

router = APIRouter(prefix="/health", tags=["health"])

_WATCH_S = 15.0
_MOST_NAMED = 5

_log = structlog.get_logger(__name__)


class Live(BaseModel):
    """The process is alive."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok", "version": __version__}]})

    status: Literal["ok"] = Field(
        description="Always `ok`: otherwise the response is a problem, or there is none."
    )
    version: str = Field(description="The release that is running.")


class Ready(BaseModel):
    """The database is reachable and has every migration and function of this release."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ok",
                    "version": __version__,
                    "migration": latest_migration(ROOMS),
                    "indexes_missing": [],
                    "read_only": False,
                }
            ]
        }
    )

    status: Literal["ok"] = Field(description="Always `ok`: otherwise the response is a problem.")
    version: str = Field(description="The release that is running.")
    migration: str = Field(description="The newest migration of the database.")
    indexes_missing: list[str] = Field(
        description="Indexes that are missing or not completely built. The service works without them, slower; "
        "`wallet-service migrate` builds them."
    )
    read_only: bool = Field(
        description="Whether the database's server accepts no writes: every request that writes is 503. True only with "
        "`WALLET_DATABASE_ROLE=any`; otherwise the service is not ready then."
    )


class Readiness:
    """Checks whether the service is ready: the database responds and has every migration and function of the rooms.

    Args:
        database: of the service.
        rooms: have the migrations.
        role: ``primary``: the database must also accept writes.
    """

    def __init__(self, database: Database, rooms: Sequence[Room], role: Role = "primary") -> None:
        self._database = database
        self._role = role
        self._migration = latest_migration(rooms)
        self._indexes = Json.of([index.qualified for index in read_indexes(rooms)])
        self._functions = Json.of(exposed_functions(rooms))

    async def check(self) -> Ready:
        """Read the state of the database.

        Raises:
            Unavailable: the database does not respond, lacks migrations or functions, or is read-only and should not be.
            WalletError: any other failure of the call.
        """
        answer = await self._database.read("read_health", indexes=self._indexes, functions=self._functions)
        health = json.loads(answer)
        if health["migration"] < self._migration:
            raise Unavailable("The database lacks migrations: run wallet-service migrate")
        if missing := health["functions_missing"]:
            named = ", ".join(f"wallet_api.{name}" for name in missing[:_MOST_NAMED])
            more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
            raise Unavailable(
                f"Functions of this release are missing from the database, or can't be called: {named}{more}. "
                "Run wallet-service migrate"
            )
        read_only = bool(health.get("read_only"))  # missing where the functions are older
        if read_only and self._role == "primary":
            raise Unavailable(
                "The database is read-only: its server is a standby, or set to read-only. "
                "An instance that may only read has WALLET_DATABASE_ROLE=any"
            )
        return Ready(
            status="ok",
            version=__version__,
            migration=health["migration"],
            indexes_missing=health["indexes_missing"],
            read_only=read_only,
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


@router.get("/live", operation_id="check_liveness", summary="Whether the process is alive")
async def live() -> Live:
    """Restart the process when this fails."""
    return Live(status="ok", version=__version__)


@router.get(
    "/ready",
    responses=problems(Unavailable),
    operation_id="check_readiness",
    summary="Whether the service is ready",
)
async def ready(readiness: ReadinessOf) -> Ready:
    """Send no traffic while this fails. It succeeds if the database is reachable, has all migrations, and accepts writes.

    With `WALLET_DATABASE_ROLE=any` it also succeeds on a standby, and `read_only` is true.
    """
    return await readiness.check()


@router.get(
    "",
    responses=problems(Unavailable),
    operation_id="check_health",
    summary="The same as /health/ready",
)
async def health(readiness: ReadinessOf) -> Ready:
    """For load balancers that expect this path."""
    return await readiness.check()


add_head_and_options(router)
