"""A change is recorded in its own transaction: for the readers of events, and for the audit trail."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from conftest import FreshDatabase, Locate, TestDatabase
from support.api import Api, open_api, problem

from wallet_service.rooms import ROOMS

SERVICE = Path(__file__).parents[3] / "wallet_service"
RECORDED = re.compile(r"platform\.record_change\(\s*p_caller,\s*'(?P<type>[a-z_]+\.[a-z_]+)'")


@pytest.fixture
async def made(fresh_database: FreshDatabase) -> TestDatabase:
    return await fresh_database()


@pytest.fixture
async def superuser(made: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(made.dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def api(made: TestDatabase, locate_database: Locate) -> AsyncIterator[Api]:
    async with open_api(await locate_database(made)) as opened:
        yield opened


async def test_a_change_leaves_an_event_and_an_audit_entry(api: Api, superuser: asyncpg.Connection) -> None:
    wallet = await api.admin.wallet()
    answer = await api.admin.send("DELETE", f"/wallets/{wallet['wallet_id']}")
    closed = answer.json()
    event = await superuser.fetchrow("select * from platform.outbox where event_type = 'wallet.closed'")
    assert UUID(bytes=event["event_id"].bytes).version == 7
    assert (event["wallet_id"], event["user_id"]) == (UUID(wallet["wallet_id"]), wallet["user_id"])
    assert (json.loads(event["before"]), json.loads(event["after"])) == (wallet, closed)
    entry = await superuser.fetchrow("select * from platform.audit_entries where action = 'wallet.closed'")
    assert (entry["actor"], entry["client_id"]) == ("client:admin", "admin")
    assert (entry["object_id"], entry["user_id"]) == (wallet["wallet_id"], wallet["user_id"])
    assert entry["request_id"] == answer.headers["X-Request-Id"]
    assert entry["address"] == "127.0.0.1"
    assert entry["user_agent"].startswith("python-httpx/")


async def test_what_is_refused_leaves_nothing(api: Api, superuser: asyncpg.Connection) -> None:
    wallet = await api.admin.wallet("10")
    problem(await api.admin.send("DELETE", f"/wallets/{wallet['wallet_id']}"), "wallet_not_empty")
    assert not await superuser.fetchval(
        "select count(*) from platform.outbox where event_type = 'wallet.closed'"
    )
    assert not await superuser.fetchval(
        "select count(*) from platform.audit_entries where action = 'wallet.closed'"
    )


@pytest.mark.parametrize(
    "change", ["update platform.audit_entries set actor = 'x'", "truncate platform.audit_entries"]
)
async def test_the_audit_trail_is_append_only(superuser: asyncpg.Connection, change: str) -> None:
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await superuser.execute(change)


def test_each_event_that_sql_writes_is_declared_and_the_other_way_round() -> None:
    declared = {kind.name for room in ROOMS for kind in room.event_types if kind.is_change}
    written = {name for path in SERVICE.rglob("*.sql") for name in RECORDED.findall(path.read_text())}
    assert written == declared


@pytest.mark.parametrize(
    ("room", "reference"), [(room, kind.data) for room in ROOMS for kind in room.event_types]
)
def test_an_event_has_a_documented_object(room: object, reference: str) -> None:
    assert room.load(reference).model_json_schema()["properties"]  # type: ignore[attr-defined]  # any room
