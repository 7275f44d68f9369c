"""Compares FakeWallet with the real service: the same requests, documents, headers and refusals on both.

The test sets both clocks; ids are named in the order in which they are seen. Texts for people are not compared.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
from wallet_client.testing import FakeWallet

from support.api import ADMIN_KEY, Api, Client
from support.clock import SettableClock

START = datetime(2026, 1, 30, 22, 15, 0, 250000, UTC)
NOWHERE = "00000000-0000-7000-8000-00000000dead"
HEADERS = ("content-type", "etag", "location", "idempotency-replayed", "retry-after")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass
class Side:
    """FakeWallet or the real service, with the ids that it gave to the names of the test."""

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
        self, method: str, path: str, body: Any, key: str | None, headers: Any, save: str | None
    ) -> list[Any]:
        answer = await self.client.send(
            method, self.filled(path), self.filled(body), key=key, headers=self.filled(headers or {})
        )
        document: dict[str, Any] = answer.json()
        if save is not None:
            found = next(document[name] for name in ("transaction_id", "wallet_id") if name in document)
            self.names[save] = found
        sent = {name: self.unnamed(answer.headers[name]) for name in HEADERS if name in answer.headers}
        named = self.unnamed(json.dumps(_without_prose(document), sort_keys=True))
        numbers = json.loads(self.unnamed(answer.text), parse_float=Decimal).get("metadata")
        return [answer.status_code, sent, json.loads(named), numbers]


def _without_prose(document: Any) -> Any:
    """Of problems, what programs read: no titles, no details, and of ``errors`` which members they name."""
    if isinstance(document, list):
        return [_without_prose(each) for each in document]
    if not isinstance(document, dict):
        return document
    kept = {name: _without_prose(each) for name, each in document.items()}
    if "retryable" in kept:
        kept = {name: each for name, each in kept.items() if name not in ("title", "detail")}
        kept |= {"errors": sorted([error["in"], error["pointer"]] for error in document.get("errors", []))}
    return kept


@dataclass
class FakeAndReal:
    """Both sides, which have to answer the same.

    Attributes:
        moment: what the FakeWallet's clock shows; the service's is set to the same.
        statuses: those of all answers so far.
    """

    sides: tuple[Side, Side]
    clock: SettableClock
    moment: datetime = START
    statuses: set[int] = field(default_factory=set)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Any = None,
        save: str | None = None,
    ) -> None:
        real, fake = [await side.ask(method, path, body, key, headers, save) for side in self.sides]
        assert fake == real, f"{method} {path} {body}"
        self.statuses.add(real[0])

    async def get(self, path: str) -> None:
        await self.ask("GET", path)

    async def post(self, path: str, body: Any, key: str | None = None, save: str | None = None) -> None:
        await self.ask("POST", path, body, key=key, save=save)

    async def later(self, by: timedelta = timedelta(hours=7, minutes=1)) -> None:
        await self.clock.advance(by)
        self.moment += by


async def fake_and_real(api: Api, clock: SettableClock) -> FakeAndReal:
    """The application, whose clock is this one, and an empty FakeWallet."""
    await clock.set(START)
    fake = FakeWallet(client_id="admin", clock=lambda: both.moment)
    http = httpx.AsyncClient(transport=fake, base_url="http://wallet")
    both = FakeAndReal((Side(api.admin), Side(Client(api.app, http, ADMIN_KEY))), clock)
    return both
