"""Whether the service lives, and whether it can do its work. Open doors: no key is needed."""

import json
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from wallet_service import __version__
from wallet_service.database.sql_files import latest_migration
from wallet_service.errors import Unavailable
from wallet_service.http.openapi import problems
from wallet_service.http.state import DatabaseOf

router = APIRouter(prefix="/health", tags=["health"])


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


async def _ready(database: DatabaseOf) -> Ready:
    health = json.loads(await database.read("health"))
    if health["migration"] < latest_migration():
        raise Unavailable("The database lacks migrations: run wallet-service migrate")
    return Ready(status="ok", version=__version__, migration=health["migration"])


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
