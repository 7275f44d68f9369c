import asyncio
import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from conftest import FreshDatabase, Locate
from support.clock import SettableClock
from support.database_location import connect

from wallet_service.core.errors import Unauthorized, Unavailable, ValidationFailed
from wallet_service.platform.auth import keys
from wallet_service.platform.auth.keys import (
    KeyRing,
    create_first_admin_key,
    create_key,
    list_keys,
    revoke_key,
)
from wallet_service.platform.auth.restrictions import Restriction
from wallet_service.platform.database.gateway import Database, Json, Param

TTL_S = 2.0


class Seconds:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.value = 1000.0

    def __call__(self) -> float:
        return self.value


class Watched(Database):
    """The real database, with its lookups counted, held back or cut off."""

    def __init__(self, inner: Database) -> None:
        self.inner = inner
        self.lookups = 0
        self.started: asyncio.Queue[int] = asyncio.Queue()
        self.open = asyncio.Event()
        self.open.set()
        self.reachable = True

    async def call(self, function: str, /, **params: Param) -> bytes:
        self.lookups += 1
        self.started.put_nowait(self.lookups)
        if not self.reachable:
            raise Unavailable
        answer = await self.inner.call(function, **params)
        await self.open.wait()
        return answer

    async def read(self, function: str, /, **params: Param) -> bytes:
        return await self.call(function, **params)

    async def close(self) -> None:
        """The fixture closes it."""


@pytest.fixture
def watched(database: Database) -> Watched:
    return Watched(database)


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def ring(watched: Watched, clock: Seconds) -> KeyRing:
    return KeyRing(watched, TTL_S, clock=clock)


def id_of(key: str) -> str:
    return key.split("_")[1]


async def test_a_key_is_known_by_its_secret(database: Database, ring: KeyRing) -> None:
    key = await create_key(database, "billing", ["wallets:read", "stats:read", "wallets:read"])
    found = await ring.verify(key.encode())
    assert found.client_name == "billing"
    assert found.scopes == {"wallets:read", "stats:read"}


async def test_only_a_hash_is_kept(database: Database, superuser: asyncpg.Connection) -> None:
    key = await create_key(database, "billing", ["admin"])
    row = await superuser.fetchrow("select * from wallet.api_keys where key_id = $1", id_of(key))
    secret = key.split("_", 2)[2]
    assert row["secret_hash"] == hashlib.sha256(secret.encode()).digest()
    assert secret not in str(dict(row))


async def test_two_keys_differ(database: Database) -> None:
    first, second = [await create_key(database, "billing", ["admin"]) for _ in range(2)]
    assert id_of(first) < id_of(second)
    assert first.split("_", 2)[2] != second.split("_", 2)[2]


@pytest.mark.parametrize(
    "credentials",
    [b"", b"wsk_", b"wsk_1_2", b"wsk_" + b"0" * 32 + b"_", b"wsk_" + b"0" * 32 + b"_" + b"\xff" * 43],
)
async def test_what_is_no_key_costs_no_lookup(ring: KeyRing, watched: Watched, credentials: bytes) -> None:
    with pytest.raises(Unauthorized):
        await ring.verify(credentials)
    assert watched.lookups == 0


async def test_wrong_secret_and_unknown_id_are_alike(
    database: Database, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await create_key(database, "billing", ["admin"])
    compared: list[int] = []
    original = hmac.compare_digest

    def compare(given: bytes, expected: bytes) -> bool:
        compared.append(len(expected))
        return original(given, expected)

    monkeypatch.setattr(keys.hmac, "compare_digest", compare)
    details: set[str] = set()
    for wrong in (key[:-4] + "AAAA", f"wsk_{'0' * 32}_{'A' * 43}"):
        with pytest.raises(Unauthorized) as refusal:
            await ring.verify(wrong.encode())
        details.add(refusal.value.detail)
    assert compared == [32, 32]
    assert len(details) == 1


async def test_a_lookup_is_remembered(
    database: Database, ring: KeyRing, watched: Watched, clock: Seconds
) -> None:
    key = (await create_key(database, "billing", ["admin"])).encode()
    for _ in range(3):
        await ring.verify(key)
    clock.value += TTL_S - 0.01
    await ring.verify(key)
    assert watched.lookups == 1
    clock.value += 0.02
    await ring.verify(key)
    assert watched.lookups == 2


async def test_revocation_takes_effect_in_time(database: Database, ring: KeyRing, clock: Seconds) -> None:
    key = await create_key(database, "billing", ["admin"])
    await ring.verify(key.encode())
    assert await revoke_key(database, id_of(key)) is not None
    clock.value += TTL_S
    with pytest.raises(Unauthorized, match="revoked"):
        await ring.verify(key.encode())


async def test_a_slow_answer_is_not_remembered_longer(
    database: Database, ring: KeyRing, watched: Watched, clock: Seconds
) -> None:
    key = await create_key(database, "billing", ["admin"])
    watched.open.clear()
    slow = asyncio.create_task(ring.verify(key.encode()))
    await watched.started.get()
    # The answer was read by now or will be soon; only its way back takes long.
    clock.value += TTL_S
    watched.open.set()
    await slow
    await revoke_key(database, id_of(key))
    with pytest.raises(Unauthorized):
        await ring.verify(key.encode())


async def test_no_request_joins_a_lookup_older_than_the_limit(
    database: Database, ring: KeyRing, watched: Watched, clock: Seconds
) -> None:
    key = await create_key(database, "billing", ["admin"])
    watched.open.clear()
    early = asyncio.create_task(ring.verify(key.encode()))
    await watched.started.get()
    clock.value += TTL_S
    late = asyncio.create_task(ring.verify(key.encode()))
    await watched.started.get()
    watched.open.set()
    await asyncio.gather(early, late)


async def test_lookups_of_one_key_are_one(database: Database, ring: KeyRing, watched: Watched) -> None:
    key = (await create_key(database, "billing", ["admin"])).encode()
    watched.open.clear()
    waiting = [asyncio.create_task(ring.verify(key)) for _ in range(50)]
    await watched.started.get()
    waiting[0].cancel()  # it started the lookup; the others still get their answer
    watched.open.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert {answer.client_name for answer in answers[1:]} == {"billing"}
    assert watched.lookups == 1
    assert not ring._lookups


async def test_an_unavailable_database_is_not_a_wrong_key(
    database: Database, ring: KeyRing, watched: Watched
) -> None:
    key = (await create_key(database, "billing", ["admin"])).encode()
    watched.reachable = False
    with pytest.raises(Unavailable):
        await ring.verify(key)
    watched.reachable = True
    assert (await ring.verify(key)).client_name == "billing"


async def test_invented_ids_fill_nothing_and_push_out_no_key(watched: Watched, clock: Seconds) -> None:
    ring = KeyRing(watched, TTL_S, most_cached=10, clock=clock)
    key = (await create_key(watched.inner, "billing", ["admin"])).encode()
    await ring.verify(key)
    for n in range(30):
        with pytest.raises(Unauthorized):
            await ring.verify(f"wsk_{n:032x}_{'A' * 43}".encode())
    before = watched.lookups
    await ring.verify(key)
    with pytest.raises(Unauthorized):
        await ring.verify(f"wsk_{29:032x}_{'A' * 43}".encode())
    assert watched.lookups == before
    assert (len(ring._found), len(ring._unknown)) == (1, 10)


async def test_a_key_expires_also_while_it_is_remembered(
    database: Database, watched: Watched, clock: Seconds
) -> None:
    key = await create_key(database, "billing", ["admin"], datetime.now(UTC) + timedelta(hours=1))
    ring = KeyRing(watched, 10_000, clock=clock)
    await ring.verify(key.encode())
    before = watched.lookups
    clock.value += 3590
    await ring.verify(key.encode())
    clock.value += 11
    with pytest.raises(Unauthorized, match="expired"):
        await ring.verify(key.encode())
    assert watched.lookups == before


async def test_a_key_expires_by_the_ledgers_clock(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    """The clock of this machine does not count, so all instances agree; each follows within its cache's time."""
    made = await fresh_database()
    database, superuser = await connect(await locate_database(made)), await asyncpg.connect(made.dsn)
    try:
        ledger_clock = SettableClock(superuser)
        await ledger_clock.install()
        await ledger_clock.set(datetime(2040, 1, 1, tzinfo=UTC))
        expires_at = datetime(2040, 1, 2, tzinfo=UTC)
        key = (await create_key(database, "billing", ["admin"], expires_at)).encode()
        times = [Seconds(), Seconds()]
        rings = [KeyRing(database, TTL_S, clock=time) for time in times]
        for ring in rings:
            await ring.verify(key)
        await ledger_clock.set(expires_at - timedelta(seconds=1))
        for ring, time in zip(rings, times, strict=True):
            time.value += TTL_S
            await ring.verify(key)
        await ledger_clock.set(expires_at)
        rings[0].forget()
        times[1].value += TTL_S
        for ring in rings:
            with pytest.raises(Unauthorized, match="expired"):
                await ring.verify(key)
    finally:
        await superuser.close()
        await database.close()


async def test_keys_are_listed_in_order_and_without_hashes(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    database = await connect(await locate_database(await fresh_database()))
    keys_made = [await create_key(database, f"client-{n}", ["admin"]) for n in range(103)]
    revoked_at = await revoke_key(database, id_of(keys_made[1]))
    listed = await list_keys(database)
    await database.close()
    assert [item["key_id"] for item in listed] == [id_of(key) for key in keys_made]
    restriction = {"wallet_ids", "user_id", "organization_id", "counter_accounts", "max_amount"}
    shown = {"key_id", "client_name", "scopes", "created_at", "expires_at", "revoked_at"}
    assert set(listed[0]) == shown | restriction
    assert [item["revoked_at"] for item in listed[:3]] == [None, revoked_at, None]


async def test_a_restriction_is_kept_and_listed(database: Database, ring: KeyRing) -> None:
    wallet = "0199d0a8-0000-7000-8000-0000000000aa"
    restriction = Restriction(
        wallet_ids=frozenset({wallet}),
        user_id="u-1",
        organization_id="o-1",
        counter_accounts=("revenue:usage", "fx:*", f"wallet:{wallet}", "wallet:*"),
        max_amount=Decimal("2.50"),
    )
    key = await create_key(database, "billing", ["usage:write"], restriction=restriction)
    assert (await ring.verify(key.encode())).restriction == restriction
    free = await create_key(database, "billing", ["usage:write"], restriction=Restriction())
    assert (await ring.verify(free.encode())).restriction is None
    listed = {each["key_id"]: Restriction.of_row(each) for each in await list_keys(database)}
    assert (listed[id_of(key)], listed[id_of(free)]) == (restriction, None)


async def test_a_release_without_restrictions_does_not_know_restricted_keys(database: Database) -> None:
    free = await create_key(database, "billing", ["usage:write"])
    key = await create_key(database, "billing", ["usage:write"], restriction=Restriction(user_id="u-1"))
    assert json.loads(await database.read("find_key", key_id=id_of(key))) is None
    assert json.loads(await database.read("find_key", key_id=id_of(free)))["client_name"] == "billing"


@pytest.mark.parametrize(
    "restriction",
    [
        Restriction(wallet_ids=frozenset({"x"})),
        Restriction(wallet_ids=frozenset(f"0199d0a8-0000-7000-8000-{n:012}" for n in range(101))),
        Restriction(user_id=""),
        Restriction(organization_id="a\nb"),
        Restriction(counter_accounts=("*",)),
        Restriction(counter_accounts=("revenue:*x",)),
        Restriction(max_amount=Decimal(-1)),
    ],
)
async def test_a_restriction_that_is_none_is_refused(database: Database, restriction: Restriction) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        await create_key(database, "billing", ["usage:write"], restriction=restriction)
    assert refusal.value.facts["errors"]


async def test_a_key_with_admin_is_not_restricted(database: Database) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        await create_key(database, "billing", ["admin"], restriction=Restriction(user_id="u-1"))
    assert refusal.value.facts["errors"][0]["pointer"] == "/scopes"


async def test_the_first_revocation_counts(database: Database) -> None:
    key = await create_key(database, "billing", ["admin"])
    first = await revoke_key(database, id_of(key))
    assert await revoke_key(database, id_of(key)) == first
    assert await revoke_key(database, "0" * 32) is None


async def test_of_several_starts_one_makes_the_first_key(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    found = await locate_database(await fresh_database())
    databases = [await connect(found) for _ in range(4)]
    answers = await asyncio.gather(*(create_first_admin_key(database) for database in databases * 4))
    (key,) = [answer for answer in answers if answer is not None]
    found = await KeyRing(databases[0], TTL_S).verify(key.encode())
    assert (found.client_name, found.scopes) == ("admin", {"admin"})
    await revoke_key(databases[0], id_of(key))
    assert await create_first_admin_key(databases[0]) is None
    for database in databases:
        await database.close()


async def test_a_start_waits_for_one_that_is_making_the_first_key(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    made = await fresh_database()
    database = await connect(await locate_database(made))
    other, observer = await asyncpg.connect(made.service_dsn), await asyncpg.connect(made.dsn)
    transaction = other.transaction()
    await transaction.start()
    call = "select wallet_api.create_key($1, $2, 'admin', '[\"admin\"]', null, true)"
    assert await other.fetchval(call, "d" * 32, "e" * 64) == '{"created": true}'
    start = asyncio.create_task(create_first_admin_key(database))
    while not start.done() and not await observer.fetchval("select count(*) from pg_locks where not granted"):
        pass
    await transaction.commit()
    assert await start is None
    for connection in (other, observer, database):
        await connection.close()


GOOD: dict[str, Any] = {
    "key_id": "a" * 32,
    "secret_hash": "b" * 64,
    "client_name": "billing",
    "scopes": '["admin"]',
    "expires_at": None,
    "only_first": False,
}


@pytest.mark.parametrize(
    "change",
    [
        {"key_id": "A" * 32},
        {"key_id": None},
        {"secret_hash": "b" * 63},
        {"secret_hash": None},
        {"client_name": ""},
        {"client_name": "user:x|y"},
        {"client_name": "x" * 65},
        {"client_name": "wallet-service"},
        {"client_name": "a\nb"},
        {"client_name": None},
        {"scopes": "[]"},
        {"scopes": "{}"},
        {"scopes": '"admin"'},
        {"scopes": '["Root"]'},
        {"scopes": '["wallets:"]'},
        {"scopes": "[null]"},
        {"scopes": '[["admin"]]'},
        {"scopes": None},
        {"expires_at": "tomorrow"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"only_first": None},
    ],
)
async def test_sql_refuses_what_is_no_key(database: Database, change: dict[str, Any]) -> None:
    params = GOOD | change
    params["scopes"] = None if params["scopes"] is None else Json(params["scopes"])
    with pytest.raises(ValidationFailed) as refused:
        await database.call("create_key", **params)
    assert [each["pointer"] for each in refused.value.facts["errors"]] == [f"/{name}" for name in change]


async def test_an_id_is_used_once(database: Database) -> None:
    """The same key again is a first attempt whose answer was lost; another under its id is not made."""
    params = GOOD | {"key_id": secrets.token_hex(16), "scopes": Json(GOOD["scopes"])}
    for _ in range(2):
        assert json.loads(await database.call("create_key", **params)) == {"created": True}
    with pytest.raises(ValidationFailed):
        await database.call("create_key", **params | {"secret_hash": secrets.token_hex(32)})
    listed = [key for key in await list_keys(database) if key["key_id"] == params["key_id"]]
    assert len(listed) == 1
