"""What is looked up in the background, and how little of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cachetools import LRUCache
from structlog.testing import capture_logs
from support.api import new_user
from support.stand_in import StandIn
from support.upstreams import ListedInstances, ManualClock, account_client

from wallet_service.core.errors import Unavailable
from wallet_service.core.identifiers import new_id
from wallet_service.money.wallets.repository import WalletRepository
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.membership.policy import Policy
from wallet_service.platform.membership.verification import RETRY_S, Verification
from wallet_service.platform.upstreams.accounts import AccountClient
from wallet_service.platform.upstreams.cache import UNKNOWN_S
from wallet_service.platform.upstreams.organizations import OrganizationClient


class Watched(Database):
    """Passes calls on, and remembers them; fails while ``away``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.calls: list[str] = []
        self.away = False
        self.free = asyncio.Event()
        self.free.set()

    async def call(self, function: str, /, **params: Any) -> bytes:
        self.calls.append(function)
        await self.free.wait()
        if self.away:
            raise Unavailable
        return await self._database.call(function, **params)

    async def repeat(self, function: str, /, **params: Any) -> bytes:
        return await self.call(function, **params)

    async def close(self) -> None:
        raise AssertionError("it belongs to the test")


@pytest.fixture
def watched(database: Database) -> Watched:
    return Watched(database)


@pytest.fixture
async def verification(
    watched: Watched, upstreams: StandIn, clock: ManualClock
) -> AsyncIterator[Verification]:
    async with account_client(ListedInstances(upstreams.url), clock) as client:
        policy = Policy(AccountClient(client, clock), OrganizationClient(client, clock), None)
        opened = Verification(watched, policy, clock)
        yield opened


async def make(database: Database, *, verified: bool = False, **members: Any) -> str:
    wallet_id = new_id()
    wallet = {"user_id": new_user(), "wallet_type": "fiat", "currency": "CREDIT", "name": "main"} | members
    await WalletRepository(database).create(wallet_id, "test", None, wallet, None, verified=verified)
    return wallet_id


async def marked(database: Database, *wallets: str) -> set[str]:
    answer = await database.read("list_unverified_wallets", wallet_ids=Json.of(list(wallets)))
    return {wallet["wallet_id"] for wallet in json.loads(answer)}


async def test_many_debits_are_looked_up_together(
    verification: Verification, watched: Watched, database: Database
) -> None:
    wallets = [await make(database, verified=number % 2 == 0) for number in range(10)]
    await verification.check(wallets * 3)
    assert watched.calls == ["list_unverified_wallets"] + ["settle_wallet"] * 5
    assert await marked(database, *wallets) == set()
    await verification.check(wallets)
    assert len(watched.calls) == 6, "what needs nothing once needs nothing for ever"


async def test_while_the_upstream_is_unavailable_it_is_left_alone(
    verification: Verification, watched: Watched, database: Database, upstreams: StandIn, clock: ManualClock
) -> None:
    wallet_id = await make(database)
    upstreams.fault = "500"
    for _ in range(3):
        await verification.check([wallet_id])
    assert watched.calls == ["list_unverified_wallets"]
    upstreams.fault = None
    await verification.check([wallet_id])
    assert len(watched.calls) == 1
    clock.value += RETRY_S
    await verification.check([wallet_id])
    assert await marked(database, wallet_id) == set()


async def test_a_wallet_without_a_user_stops_none_of_the_others(
    verification: Verification, database: Database, upstreams: StandIn, clock: ManualClock
) -> None:
    first, nobody, last = wallets = [
        await make(database, user_id=user) for user in (new_user(), f"unknown-{new_id()}", new_user())
    ]
    with capture_logs() as log:
        for pause_s in (0, UNKNOWN_S - 1, 1):
            clock.value += pause_s
            verification._deferred.clear()  # which is bounded, so it may have forgotten
            assert said(log, "wallet_of_unknown_user_frozen") == [], "one answer freezes nothing"
            await verification.check(wallets)
    assert await marked(database, first, nobody, last) == {nobody}
    assert said(log, "wallet_of_unknown_user") == said(log, "wallet_of_unknown_user_frozen") == [nobody]
    assert len(upstreams.questions) == 5
    assert not verification._suspected_s


async def test_one_that_was_unknown_once_and_is_known_then(
    verification: Verification, database: Database, upstreams: StandIn, clock: ManualClock
) -> None:
    user_id = new_user()
    wallet_id = await make(database, user_id=user_id)
    upstreams.unknown.add(user_id)
    await verification.check([wallet_id])
    clock.value += UNKNOWN_S - 1
    assert not await verification._policy.exists(user_id, None, refresh=True), "that is remembered longer"
    upstreams.unknown.clear()
    clock.value += 1
    await verification.check([wallet_id])
    assert await marked(database, wallet_id) == set()


async def test_what_is_remembered_of_suspects_is_bounded(
    verification: Verification, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_suspected_s", LRUCache(2))
    for number in range(4):
        await verification.check([await make(database, user_id=f"unknown-{number}-{new_id()}")])
    assert len(verification._suspected_s) == 2


async def test_an_owner_who_can_not_be_asked_for_delays_no_other(
    verification: Verification, watched: Watched, database: Database, upstreams: StandIn, clock: ManualClock
) -> None:
    odd = new_user()
    wallets = [await make(database, user_id=user) for user in (odd, new_user(), new_user())]
    upstreams.refused.add(odd)
    for _ in range(2):
        await verification.check(wallets)
    assert await marked(database, *wallets) == {wallets[0]}
    assert watched.calls.count("list_unverified_wallets") == 1, "it is left alone for a while"
    clock.value += RETRY_S
    await verification.check([wallets[0]])
    assert await marked(database, *wallets) == {wallets[0]}, "and neither verified nor frozen"
    assert b'"active"' in await database.read("get_wallet", wallet_id=wallets[0], user_id=None)


async def test_an_organization_that_is_gone(
    verification: Verification, database: Database, clock: ManualClock
) -> None:
    wallet_id = await make(database, organization_id="unknown-org")
    for _ in range(2):
        await verification.check([wallet_id])
        clock.value += UNKNOWN_S
    assert b'"frozen"' in await database.read("get_wallet", wallet_id=wallet_id, user_id=None)


def said(log: list[Any], event: str) -> list[str]:
    """Which wallets these lines name."""
    return [line["wallet_id"] for line in log if line["event"] == event]


async def test_without_the_database_it_is_tried_later(
    verification: Verification, watched: Watched, database: Database, clock: ManualClock
) -> None:
    wallet_id = await make(database)
    watched.away = True
    with capture_logs() as log:
        await verification.check([wallet_id])
    assert [(line["event"], line["reason"]) for line in log] == [("verification_postponed", "unavailable")]
    watched.away = False
    clock.value += RETRY_S
    await verification.check([wallet_id])
    assert await marked(database, wallet_id) == set()


async def test_settling_is_done_once(database: Database) -> None:
    known, unknown, plain = await make(database), await make(database), await make(database, verified=True)

    async def settle(wallet_id: str, *, exists: bool | None) -> bytes:
        return await database.repeat("settle_wallet", wallet_id=wallet_id, exists=exists)

    assert await settle(known, exists=None) == b"nothing"
    assert [await settle(known, exists=True) for _ in range(2)] == [b"verified", b"nothing"]
    assert await settle(known, exists=False) == b"nothing", "it is not marked any more"
    assert [await settle(unknown, exists=False) for _ in range(2)] == [b"frozen", b"nothing"]
    assert await settle(plain, exists=False) == b"nothing"
    assert await settle(new_id(), exists=False) == b"nothing"
    statuses = [
        json.loads(await database.read("get_wallet", wallet_id=each, user_id=None))["status"]
        for each in (known, unknown, plain)
    ]
    assert statuses == ["active", "frozen", "active"]
    recorded = [
        [(entry["action"], entry["actor"]) for entry in await entries_about(database, each)]
        for each in (known, unknown, plain)
    ]
    created = ("wallet.created", "service")
    assert recorded == [
        [("wallet.verified", "unknown"), created],  # settle names no caller, as release 0.1.0
        [("wallet.frozen", "unknown"), created],
        [created],
    ]


async def entries_about(database: Database, wallet_id: str) -> list[dict[str, Any]]:
    """The entries of the audit trail about a wallet, newest first."""
    answer = await database.read("list_audit_entries", filters=Json.of({"object_id": wallet_id}))
    return json.loads(answer.partition(b"\n")[0])
