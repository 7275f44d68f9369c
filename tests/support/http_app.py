"""A small application of its own for the pieces that every endpoint shares."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, FastAPI
from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from support.problems import ERRORS
from support.settings import make_settings
from wallet_service.core.errors import Unavailable, ValidationFailed, WalletBusy
from wallet_service.ledger.problems import InsufficientFunds
from wallet_service.money.callers import WalletReader
from wallet_service.platform.auth.authentication import (
    Authenticator,
    Caller,
    Principal,
    requires,
)
from wallet_service.platform.auth.permissions import ADMIN
from wallet_service.platform.auth.settings import AuthSettings
from wallet_service.platform.changes.reads import ReadRecorder
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.idempotency import HeaderKey, chosen_key
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, DocumentParts, problems
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.settings import WebSettings
from wallet_service.platform.web.setup import install
from wallet_service.rooms import ROOMS

ADMIN_KEY = "an-admin-key-of-forty-characters-1234567"
JWT_SECRET = "a-shared-secret-of-more-than-32-bytes-for-tests"
BODY_LIMIT = 2048
IMPORT_LIMIT = 4096


def _positive(amount: Decimal) -> Decimal:
    if amount <= 0:
        raise PydanticCustomError("amount_invalid", "an amount is more than 0")
    return amount


class Money(BaseModel):
    model_config = ConfigDict(extra="forbid")

    amount: Annotated[Decimal, AfterValidator(_positive)]
    name: str = "main"
    metadata: dict[str, Any] = {}
    idempotency_key: str | None = None


router = APIRouter(prefix="/things", route_class=StrictRoute)


@router.post("/{thing_id}/pay", responses=problems(*WRITES, *KEYED))
async def pay(thing_id: str, body: Money, caller: Caller, header_key: HeaderKey) -> JsonBytes:
    key = chosen_key(header_key, body.idempotency_key)
    answer = {"thing": thing_id, "client": caller.client_id, "key": key, "metadata": body.metadata}
    return JsonBytes(Json.of(answer | {"amount": str(body.amount)}).text)


@router.post("/open")
async def open_door(body: Money) -> dict[str, str]:
    return {"amount": str(body.amount)}


@router.get("/{thing_id}", responses=problems(*READS, InsufficientFunds))
async def read(
    thing_id: str, caller: WalletReader, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None
) -> dict[str, Any]:
    return {"thing": thing_id, "client": caller.client_id, "limit": limit, "cursor": cursor}


@router.get("/{thing_id}/poor")
async def poor(thing_id: str) -> None:
    raise InsufficientFunds("2.50 is missing", shortfall=Decimal("2.50"), thing=thing_id)


@router.get("/{thing_id}/busy")
async def busy(thing_id: str) -> None:
    raise WalletBusy(thing=thing_id)


@router.get("/{thing_id}/fault")
async def fault(thing_id: str) -> None:
    raise RuntimeError(f"inner workings of {thing_id}")


@router.get("/{thing_id}/admin")
async def admin(thing_id: str, caller: Annotated[Principal, requires(ADMIN)]) -> dict[str, Any]:
    return {"thing": thing_id, "client": caller.client_id, "user": caller.user_id}


@router.get("/{thing_id}/unreachable")
async def unreachable(thing_id: str) -> None:
    raise Unavailable(thing=thing_id) from ConnectionError("the server is gone")


@router.post("/import")
async def take(request: Request) -> dict[str, int]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    if not size:
        raise ValidationFailed("nothing to import")
    return {"bytes": size}


def make_app(database: Database, **settings: Any) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, redirect_slashes=False)
    given: dict[str, Any] = {"admin_key": ADMIN_KEY, "jwt_secret": JWT_SECRET, "max_body_bytes": BODY_LIMIT}
    chosen = make_settings(**given | settings)
    app.state.auth = Authenticator.from_settings(chosen[AuthSettings], database, ROOMS)
    app.state.reads = ReadRecorder(database, ROOMS)
    install(app, chosen[WebSettings], DocumentParts(codes=ERRORS), {"/api/v1/things/import": IMPORT_LIMIT})
    app.include_router(router, prefix="/api/v1")
    return app


@asynccontextmanager
async def api(
    database: Database, credentials: str | None = None, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application with these settings."""
    app = make_app(database, **settings)
    headers = {} if credentials is None else {"Authorization": f"Bearer {credentials}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://wallet", headers=headers) as client:
        yield client
    await app.state.auth.close()
