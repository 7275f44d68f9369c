"""FakeWallet beside the real service: one program, the same documents, headers and refusals on both.

Both clocks are the test's; ids are named in the order in which they are seen.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import jwt
from wallet_client.testing import FakeWallet

from support.api import ADMIN_KEY, JWT_SECRET, Api, Client
from support.clock import SettableClock

START = datetime(2026, 1, 30, 22, 15, 0, 250000, UTC)
NOWHERE = "00000000-0000-7000-8000-00000000dead"
HEADERS = (
    "content-type",
    "etag",
    "location",
    "idempotency-replayed",
    "retry-after",
    "vary",
    "cache-control",
    "x-content-type-options",
    "x-request-id",
    "www-authenticate",
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass
class Side:
    """One of the two, with the ids that it gave to what the program names."""

    client: Client
    names: dict[str, str] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)

    def filled(self, value: Any) -> Any:
        """The value with ``<name>`` replaced by this side's id."""
        if isinstance(value, str):
            return re.sub(r"<(\w+)>", lambda found: self.names[found[1]], value)
        if isinstance(value, Mapping):
            return {name: self.filled(each) for name, each in value.items()}
        return [self.filled(each) for each in value] if isinstance(value, list) else value

    def unnamed(self, text: str) -> str:
        return _UUID.sub(lambda found: self.seen.setdefault(found[0], f"#{len(self.seen)}"), text)

    async def ask(
        self, method: str, path: str, body: Any, key: str | None, headers: Any, query: Any, save: str | None
    ) -> list[Any]:
        sent = {"X-Request-ID": "beside"} | self.filled(headers or {})
        content = body if isinstance(body, bytes | None) else self.filled(body)
        answer = await self.client.send(
            method, self.filled(path), content, key=key, headers=sent, query=self.filled(query or {})
        )
        document: dict[str, Any] = answer.json()
        if save is not None:
            for member in ("next_cursor", "transaction_id", "wallet_id"):
                if document.get(member) is not None:
                    self.names[save] = document[member]
                    break
        told = [[name, self.unnamed(answer.headers[name])] for name in HEADERS if name in answer.headers]
        return [answer.status_code, told, self._plain(answer)]

    def _plain(self, answer: httpx.Response) -> Any:
        def pairs(found: list[tuple[str, Any]]) -> Any:
            plain = [
                [name, "a cursor" if name == "next_cursor" and value else _plain_detail(name, value, found)]
                for name, value in found
            ]
            # The order of a problem's members says nothing; that of other documents is kept.
            return dict(plain) if {"retryable", "pointer"} & dict(found).keys() else plain

        return json.loads(self.unnamed(answer.text), parse_float=Decimal, object_pairs_hook=pairs)


def _plain_detail(name: str, value: Any, members: list[tuple[str, Any]]) -> Any:
    # What pydantic says of a text that is no UUID, number or word goes into characters and their places.
    spelled_out = ("code", "uuid_parsing") in members or ("code", "bool_parsing") in members
    return "…" if name == "detail" and spelled_out else value


@dataclass
class Both:
    sides: tuple[Side, Side]
    api: Api
    http: httpx.AsyncClient
    clock: SettableClock
    fake: FakeWallet
    statuses: list[int] = field(default_factory=list)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Any = None,
        query: Any = None,
        save: str | None = None,
    ) -> None:
        real, fake = [await side.ask(method, path, body, key, headers, query, save) for side in self.sides]
        assert fake == real, f"{method} {path} {body} {query}"
        self.statuses.append(real[0])

    async def get(self, path: str, **query: Any) -> None:
        await self.ask("GET", path, query=query)

    async def post(self, path: str, body: Any, key: str | None = None, save: str | None = None) -> None:
        await self.ask("POST", path, body, key=key, save=save)

    def acting_as(self, user_id: str, **claims: Any) -> "Both":
        """The same two, asked by a user; claims of the token beside those that it needs."""
        token = jwt.encode({"sub": user_id, "exp": int(time.time()) + 3600} | claims, JWT_SECRET, "HS256")
        real, fake = self.sides
        return replace(
            self,
            sides=(
                replace(real, client=Client(self.api.app, self.api.http, token)),
                replace(fake, client=Client(self.api.app, self.http, token)),
            ),
        )

    async def later(self, by: timedelta = timedelta(hours=7, minutes=1)) -> None:
        await self.clock.advance(by)
        self.fake.advance(by)


async def beside(api: Api, clock: SettableClock) -> Both:
    """The application, whose clock is this one, and an empty FakeWallet."""
    await clock.set(START)
    fake = FakeWallet(client_id="admin")
    fake.set_time(START)
    http = httpx.AsyncClient(transport=fake, base_url="http://wallet")
    sides = (Side(api.admin), Side(Client(api.app, http, ADMIN_KEY)))
    return Both(sides, api, http, clock, fake)
