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
from support.recorded import EVENTS

from wallet_service.rooms import ROOMS

SERVICE = Path(__file__).parents[3] / "wallet_service"
RECORDED = re.compile(
    r"(?:record_change|record_file_change|record_grant|record_alert|record_top_up|record_top_up_rule|record_label|store_label|record_pair|record_rule"
    r"|keep_more|note_hold|end_hold)\([^;]*;|row\(\s*case v_new\.state[^;]*;|row\('grant\.[^;]*;"
)
TYPE = re.compile(r"'([a-z_]+\.[a-z_]+)'")


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
    event = await superuser.fetchrow(f"select * from {EVENTS} where event_type = 'wallet.closed'")
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
    assert not await superuser.fetchval(f"select count(*) from {EVENTS} where event_type = 'wallet.closed'")
    assert not await superuser.fetchval(
        "select count(*) from platform.audit_entries where action = 'wallet.closed'"
    )


@pytest.mark.parametrize(
    "change", ["update platform.audit_entries set actor = 'x'", "truncate platform.audit_entries"]
)
async def test_the_audit_trail_is_append_only(superuser: asyncpg.Connection, change: str) -> None:
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await superuser.execute(change)


async def test_values_are_masked_by_their_names(superuser: asyncpg.Connection) -> None:
    document = {
        "name": "a",
        "API-Key": 1,
        "user_token": None,
        "metadata": {"team": "blue", "deep": {"list": [1, {"x": 2}], "none": None}},
        "items": [
            {"e_mail": "kept", "E_Mail_Address": 0, "contact_email": "a@b.c", "password": {"old": "x"}}
        ],
    }
    masked = json.loads(
        await superuser.fetchval(
            "select platform.mask_members($1, '{metadata,e_mail}')", json.dumps(document)
        )
    )
    assert masked == {
        "name": "a",
        "API-Key": "***",
        "user_token": None,
        "metadata": {"team": "***", "deep": {"list": "***", "none": None}},
        "items": [
            {"e_mail": "***", "E_Mail_Address": "***", "contact_email": "***", "password": {"old": "***"}}
        ],
    }
    nested = '{"a":' * 5000 + '"secret"' + "}" * 5000
    assert "secret" not in await superuser.fetchval("select platform.mask_members($1, '{}')::text", nested)


async def test_differences_are_pointers(superuser: asyncpg.Connection) -> None:
    before = {"a": 1, "b": {"c": [1], "d/e": 1, "same": {}}, "gone": None}
    after = {"a": 1.0, "b": {"c": [2], "d/e": 2, "same": {}}, "~new": 1}
    found = await superuser.fetchval(
        "select platform.list_differences($1, $2)", json.dumps(before), json.dumps(after)
    )
    assert found == ["/b/c", "/b/d~1e", "/gone", "/~0new"]


def test_each_event_that_sql_writes_is_declared_and_the_other_way_round() -> None:
    declared = {kind.name for room in ROOMS for kind in room.event_types if kind.is_change}
    texts = [re.sub(r"--[^\n]*", "", path.read_text()) for path in SERVICE.rglob("*.sql")]
    written = {name for text in texts for call in RECORDED.findall(text) for name in TYPE.findall(call)}
    assert written == declared


@pytest.mark.parametrize(
    ("room", "reference"), [(room, kind.data) for room in ROOMS for kind in room.event_types]
)
def test_an_event_has_a_documented_object(room: object, reference: str) -> None:
    assert room.load(reference).model_json_schema()["properties"]  # type: ignore[attr-defined]  # any room
