"""The real application in process, and its callers: the operator, clients, users."""

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
from fastapi import FastAPI
from opentelemetry.trace import TracerProvider
from pydantic import BaseModel
from starlette.types import Message
from starlette.types import Scope as AsgiScope

from support.database_location import DatabaseLocation
from support.settings import make_settings
from support.supabase import Project
from wallet_service.core.errors import ERRORS
from wallet_service.core.identifiers import new_id
from wallet_service.core.room import Room
from wallet_service.money.schemas import Transaction
from wallet_service.money.wallets.schemas import Wallet
from wallet_service.platform.auth.keys import create_key
from wallet_service.platform.auth.restrictions import Restriction
from wallet_service.platform.database.gateway import Json
from wallet_service.rooms import ROOMS
from wallet_service.runtime.application import create_app

ADMIN_KEY = "an-admin-key-of-forty-characters-1234567"
JWT_SECRET = "a-shared-secret-of-more-than-32-bytes-for-tests"
ROOT = "/api/v1"


def new_user() -> str:
    """A user_id that no other test has."""
    return f"user-{new_id()}"


class Client:
    """One caller. Sends its credentials with each request; paths are below /api/v1."""

    def __init__(
        self, app: FastAPI, http: httpx.AsyncClient, credentials: str, user_id: str | None = None
    ) -> None:
        self._app = app
        self._http = http
        self._headers = {"Authorization": f"Bearer {credentials}"}
        self.user_id = user_id

    @property
    def app(self) -> FastAPI:
        """The application."""
        return self._app

    @property
    def headers(self) -> dict[str, str]:
        """The credentials, as a copy."""
        return dict(self._headers)

    async def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | AsyncIterator[bytes] | None = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """Send a request.

        Args:
            method: as in HTTP.
            path: below /api/v1.
            body: an object, written as JSON with each Decimal's digits, or the bytes themselves.
            key: the header Idempotency-Key.
            headers: others; ``Content-Type`` is JSON for any body unless it is given here.
            query: members of the query.
        """
        sent = dict(self._headers)
        if body is not None:
            sent["Content-Type"] = "application/json"
        if key is not None:
            sent["Idempotency-Key"] = key
        content = Json.of(body).text.encode() if isinstance(body, Mapping) else body
        return await self._http.request(
            method, ROOT + path, content=content, headers=sent | dict(headers or {}), params=query
        )

    async def get(self, path: str, **query: Any) -> httpx.Response:
        """GET with these members of the query."""
        return await self.send("GET", path, query=query or None)

    async def post(
        self, path: str, body: Mapping[str, Any] | bytes | None = None, *, key: str | None = None
    ) -> httpx.Response:
        """POST a JSON object."""
        return await self.send("POST", path, body, key=key)

    async def patch(
        self, path: str, body: Mapping[str, Any] | bytes, *, if_match: str | None = None
    ) -> httpx.Response:
        """PATCH with a merge patch."""
        return await self.send(
            "PATCH", path, body, headers={"If-Match": if_match} if if_match is not None else None
        )

    async def delete(self, path: str, *, if_match: str | None = None) -> httpx.Response:
        """DELETE."""
        return await self.send(
            "DELETE", path, headers={"If-Match": if_match} if if_match is not None else None
        )

    async def hang_up(self, path: str, body: Sequence[bytes], content_type: str) -> None:
        """POST these pieces, then close the connection without an end of the body."""
        pieces = iter(body)

        async def receive() -> Message:
            piece = next(pieces, None)
            if piece is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": piece, "more_body": True}

        async def send(message: Message) -> None:
            raise AssertionError(f"the client has disconnected, yet gets {message}")

        headers = self._headers | {"Content-Type": content_type}
        path, _, query = path.partition("?")
        scope: AsgiScope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": ROOT + path,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
        await self._app(scope, receive, send)

    async def move(
        self, kind: str, wallet_id: str, amount: Any = "1", *, key: str | None = None, **members: Any
    ) -> httpx.Response:
        """Post a deposit, withdraw, consume, transfer, reward or fee."""
        return await self.post(f"/wallets/{wallet_id}/{kind}", {"amount": amount, **members}, key=key)

    async def refund(self, transaction_id: str, key: str | None = None, **members: Any) -> httpx.Response:
        """Refund a transaction: the rest of its amount, unless an amount is given."""
        return await self.post(f"/transactions/{transaction_id}/refund", members, key=key)

    async def batch(self, *operations: Any, key: str | None = None, **members: Any) -> httpx.Response:
        """Post a batch."""
        return await self.post("/transactions/batch", {"operations": list(operations), **members}, key=key)

    async def wallet(self, balance: str | None = None, **members: Any) -> dict[str, Any]:
        """A new wallet, of a new user unless one is given."""
        body = {"user_id": self.user_id or new_user()} | members
        if balance is not None:
            body["initial_balance"] = balance
        return created(await self.post("/wallets", body))

    async def read(self, wallet_id: str) -> dict[str, Any]:
        """A wallet as it is now."""
        answer = await self.get(f"/wallets/{wallet_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def balance(self, wallet_id: str) -> str:
        """A wallet's balance."""
        return (await self.read(wallet_id))["balance"]


@dataclass(frozen=True)
class Api:
    """The application with its lifespan running, and its callers."""

    app: FastAPI
    http: httpx.AsyncClient

    @property
    def admin(self) -> Client:
        """The operator."""
        return Client(self.app, self.http, ADMIN_KEY)

    def user(self, user_id: str | None = None, **claims: Any) -> Client:
        """A user with a token, of a new user_id unless one is given."""
        name = user_id or new_user()
        token = jwt.encode({"sub": name, "exp": int(time.time()) + 3600} | claims, JWT_SECRET, "HS256")
        return Client(self.app, self.http, token, name)

    async def service(
        self, *scopes: str, name: str | None = None, restriction: Restriction | None = None
    ) -> Client:
        """A service with a key that has these scopes, under a name of its own unless one is given."""
        client_name = name or f"service-{new_id()}"
        key = await create_key(self.app.state.database, client_name, scopes, restriction=restriction)
        return Client(self.app, self.http, key)


def make_app(
    database_location: DatabaseLocation,
    tracer_provider: TracerProvider | None = None,
    traced_part: float = 1.0,
    rooms: Sequence[Room] = ROOMS,
    **settings: Any,
) -> FastAPI:
    """The application on this database, with these settings besides those of the tests."""
    given: dict[str, Any] = {"admin_key": ADMIN_KEY, "jwt_secret": JWT_SECRET} | settings
    if isinstance(database_location, Project):
        project = {
            "supabase_url": database_location.url,
            "supabase_service_role_key": database_location.service_role_key,
        }
        return create_app(make_settings(rooms, **given | project), None, tracer_provider, traced_part, rooms)
    return create_app(make_settings(rooms, **given), database_location, tracer_provider, traced_part, rooms)


@asynccontextmanager
async def open_api(database_location: DatabaseLocation, **settings: Any) -> AsyncIterator[Api]:
    """The running application on this database, with these settings besides those of the tests."""
    app = make_app(database_location, **settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://wallet") as http,
    ):
        yield Api(app, http)


def conforms(body: bytes, model: type[BaseModel]) -> dict[str, Any]:
    """The object of the response. It has the members of the documented model and no others."""
    model.model_validate_json(body)
    document: dict[str, Any] = json.loads(body)
    assert document.keys() == {field.alias or name for name, field in model.model_fields.items()}
    return document


def created(answer: httpx.Response) -> dict[str, Any]:
    """The wallet of a 201."""
    assert answer.status_code == 201, answer.text
    return conforms(answer.content, Wallet)


def posted(answer: httpx.Response) -> dict[str, Any]:
    """The transaction of a 201, whose Location names it."""
    assert answer.status_code == 201, answer.text
    transaction = conforms(answer.content, Transaction)
    assert answer.headers["Location"] == f"{ROOT}/transactions/{transaction['transaction_id']}"
    return transaction


def problem(answer: httpx.Response, code: str) -> dict[str, Any]:
    """The problem document with this code, whose status and retryable are the code's."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    document: dict[str, Any] = answer.json()
    error = ERRORS[code]
    assert (answer.status_code, document["code"]) == (error.status, code), answer.text
    assert document["status"] == error.status
    assert document["retryable"] is error.retryable
    assert document["type"] == f"urn:wallet:problem:{code}"
    assert document["title"] == error.title
    return document


def pointers(document: Mapping[str, Any]) -> list[str]:
    """The pointers of the values that a problem names."""
    return [error["pointer"] for error in document["errors"]]
