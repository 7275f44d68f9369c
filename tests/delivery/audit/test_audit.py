"""The audit trail: who changed and read what, over HTTP and in the database, on both drivers."""

import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from conftest import FreshDatabase, Locate, TestDatabase
from support.api import Api, Client, conforms, new_user, open_api, problem
from support.clock import SettableClock
from support.database_location import DatabaseLocation
from support.recorded import EVENTS

from wallet_service.core.caller import RecordedCaller, acting_as
from wallet_service.core.errors import ValidationFailed
from wallet_service.core.identifiers import new_id
from wallet_service.delivery.audit.repository import AuditRepository
from wallet_service.delivery.audit.schemas import AuditEntry, AuditPage
from wallet_service.delivery.audit.service import COLUMNS
from wallet_service.ledger.verify import verify
from wallet_service.platform.auth.keys import create_key, list_keys, revoke_key
from wallet_service.platform.auth.restrictions import Restriction
from wallet_service.rooms import ROOMS

WALKS = [walk for room in ROOMS for walk in room.verify_walks]
OF_NO_WALLET = {
    *("wallets.read", "events.read", "audit_entries.read", "jobs.read", "job.read"),
    *("book.read", "book_wallet.read", "label.read", "exchange_rates.read", "parts.read", "rule.read"),
    "budget.read",
}
"""Reads that are recorded without whose data they show."""


@pytest.fixture
async def api(database_location: DatabaseLocation) -> AsyncIterator[Api]:
    async with open_api(database_location, trusted_proxies="127.0.0.1/32") as opened:
        yield opened


@pytest.fixture
async def auditor(api: Api) -> Client:
    return await api.service("audit:read")


async def trail(auditor: Client, **filters: Any) -> list[dict[str, Any]]:
    """The entries that match, oldest first."""
    entries: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await auditor.get("/audit", limit=100, **filters, **cursor)
        assert answer.status_code == 200, answer.text
        AuditPage.model_validate_json(answer.content)
        page = answer.json()
        for entry in page["items"]:
            conforms(json.dumps(entry).encode(), AuditEntry)
        entries += page["items"]
        if page["next_cursor"] is None:
            return entries[::-1]
        cursor = {"cursor": page["next_cursor"]}


async def test_each_change_of_a_wallet_has_one_precise_entry(
    api: Api, auditor: Client, superuser: asyncpg.Connection
) -> None:
    user = new_user()
    first = (await api.admin.wallet(user_id=user, metadata={"team": "blue", "email": "a@b.c"}))["wallet_id"]
    second = (await api.admin.wallet("5", user_id=user, name="second"))["wallet_id"]
    path = f"/wallets/{second}"
    await api.admin.patch(path, {"credit_limit": "10"})
    await api.admin.patch(path, {"credit_limit": "10"})  # nothing changes
    await api.admin.patch(path, {"is_primary": True, "metadata": {"note": "private"}})
    await api.admin.patch(path, {"status": "frozen", "name": "frozen one"})
    await api.admin.patch(path, {"status": "active"})
    problem(await api.admin.patch(path, {"credit_limit": "-1"}), "amount_invalid")
    entries = [entry for entry in await trail(auditor, user_id=user) if entry["event_id"]]
    assert [(entry["action"], entry["object_id"]) for entry in entries] == [
        ("wallet.created", first),
        ("wallet.created", second),
        ("wallet.updated", second),
        ("wallet.updated", first),  # it is no longer the primary one
        ("wallet.updated", second),
        ("wallet.frozen", second),
        ("wallet.unfrozen", second),
    ]
    created, other, limit, former, primary, frozen, _ = entries
    assert (created["before"], created["changed"]) == (None, None)
    assert created["after"]["metadata"] == {"team": "***", "email": "***"}
    assert (other["after"]["balance"], other["after"]["version"]) == ("0.000000", 1)
    assert limit["changed"] == ["/credit_limit", "/updated_at", "/version"]
    assert (limit["before"]["credit_limit"], limit["after"]["credit_limit"]) == ("0.000000", "10.000000")
    assert former["changed"] == ["/is_primary", "/updated_at", "/version"]
    assert primary["changed"] == ["/is_primary", "/metadata/note", "/updated_at", "/version"]
    assert primary["after"]["metadata"] == {"note": "***"}
    assert frozen["changed"] == ["/name", "/status", "/updated_at", "/version"]
    events = await superuser.fetch(
        f"select event_id, after from {EVENTS} where event_type like 'wallet.%' and user_id = $1", user
    )
    by_id = {str(event["event_id"]): json.loads(event["after"]) for event in events}
    assert by_id.keys() == {entry["event_id"] for entry in entries}
    # Readers of events have the rights to see the wallet; the audit trail keeps no personal data.
    assert by_id[primary["event_id"]]["metadata"] == {"note": "private"}


async def test_a_replay_and_a_dry_run_leave_nothing(api: Api, auditor: Client) -> None:
    user = new_user()
    body = {"user_id": user}
    for _ in range(2):
        answer = await api.admin.post("/wallets", body, key=f"once-{user}")
        assert answer.status_code == 201
    lines = f"user_id,balance\n{user}-2,1\n".encode()
    for _ in range(2):
        await api.admin.send("POST", "/wallets/import", lines, headers={"Content-Type": "text/csv"})
    for each in (user, f"{user}-2"):
        assert [entry["action"] for entry in await trail(auditor, user_id=each)] == ["wallet.created"]


async def test_keys_are_recorded_without_their_secrets(
    api: Api, auditor: Client, superuser: asyncpg.Connection
) -> None:
    database, name = api.app.state.database, f"backend-{new_id()}"
    with acting_as(RecordedCaller(actor="command:root")):
        text = await create_key(database, name, ["wallets:read"], None, Restriction(user_id="user-1"))
        (key,) = [each for each in await list_keys(database) if each["client_name"] == name]
        first = await revoke_key(database, key["key_id"])
        assert await revoke_key(database, key["key_id"]) == first
        assert await revoke_key(database, "0" * 32) is None
    created, revoked = await trail(auditor, object_id=key["key_id"])
    assert (created["action"], created["actor"]) == ("api_key.created", "command:root")
    assert created["after"] == key
    assert revoked["changed"] == ["/revoked_at"]
    assert (revoked["before"], revoked["after"]) == (key, key | {"revoked_at": first})
    secret = text.removeprefix("wsk_").partition("_")[2]
    digest = hashlib.sha256(secret.encode())
    assert await superuser.fetchval(
        "select count(*) from wallet.api_keys where secret_hash = $1", digest.digest()
    )
    for hidden in (secret, digest.hexdigest()):
        assert not await superuser.fetchval(
            "select (select count(*) from platform.audit_entries a where a::text like '%' || $1 || '%')"
            f" + (select count(*) from {EVENTS} where recorded::text like '%' || $1 || '%')",
            hidden,
        )


async def test_files_are_recorded_with_their_owner(api: Api, auditor: Client) -> None:
    user = api.user()
    answer = await user.send(
        "POST", "/files", b"x", headers={"Content-Type": "text/csv"}, query={"name": "of John Doe.csv"}
    )
    file_id = answer.json()["file_id"]
    assert (await user.delete(f"/files/{file_id}")).status_code == 204
    created, deleted = await trail(auditor, object_id=file_id)
    assert [created["action"], deleted["action"]] == ["file.created", "file.deleted"]
    assert (created["actor"], created["user_id"]) == (f"user:{user.user_id}", user.user_id)
    assert (created["after"]["name"], created["after"]["owner"]) == ("***", f"user:{user.user_id}")
    assert deleted["after"] is None


async def test_the_caller_is_known_behind_a_proxy_and_by_its_token(api: Api, auditor: Client) -> None:
    user = api.user(sid="session-7", jti="token-1")
    headers = {"X-Forwarded-For": "192.0.2.66, 2001:db8::7", "User-Agent": "agent\x07" + "x" * 300}
    wallet = (await user.send("POST", "/wallets", {"user_id": user.user_id}, headers=headers)).json()
    (entry,) = await trail(auditor, object_id=wallet["wallet_id"])
    assert entry["actor"] == f"user:{user.user_id}"
    assert entry["client_id"] == f"user:|{user.user_id}"
    assert (entry["address"], entry["session_id"]) == ("2001:db8::7", "session-7")
    assert entry["user_agent"] == "agent?" + "x" * 194
    assert entry["on_behalf_of"] is None
    other = new_user()
    key = await api.service("wallets:write", restriction=Restriction(user_id=other))
    answer = await key.post("/wallets", {"user_id": other})
    (entry,) = await trail(auditor, request_id=answer.headers["X-Request-Id"])
    assert entry["on_behalf_of"] == f"user:{other}"
    *_, entry = await trail(auditor, actor="service", action="api_key.created")  # that of the key
    assert (entry["address"], entry["request_id"]) == (None, None)


async def _used(api: Api, wallet: str, currency: str) -> str:
    """The id of an event of usage of a wallet."""
    meter = f"m-{new_id()}"
    card = {"meter": meter, "currency": currency, "prices": [{"model": "per_unit", "unit_price": "1"}]}
    assert (await api.admin.post("/meters", {"meter": meter})).status_code == 201
    assert (await api.admin.post("/rate-cards", card)).status_code == 201
    event = {"event_id": new_id(), "meter": meter, "wallet_id": wallet, "quantity": "1"}
    return (await api.admin.post("/usage", event)).json()["usage_id"]


async def test_an_operators_reads_are_recorded_and_those_of_others_are_not(api: Api, auditor: Client) -> None:
    user = api.user()
    made = await api.admin.wallet("10", user_id=user.user_id)
    wallet = made["wallet_id"]
    transfer = (await api.admin.move("consume", wallet, "1")).json()["transaction_id"]
    scopes = ("wallets", "stats", "grants", "limits", "holds", "alerts", "top_ups", "usage")
    backend = await api.service(*(f"{each}:read" for each in scopes))
    grant = (await api.admin.post(f"/wallets/{wallet}/grants", {"amount": "1", "source": "promotion"})).json()
    holds, alerts, schedules, top_ups = [
        (await api.admin.post(f"/wallets/{wallet}/{name}", body)).json()
        for name, body in (
            ("holds", {"amount": "1"}),
            ("alerts", {"amount": "1"}),
            ("grant-schedules", {"amount": "1", "source": "plan", "day_of_month": 1}),
            ("top-ups", {"amount": "1", "payment_method": "pm-1"}),
        )
    ]
    rule = {"threshold": "1", "amount": "5", "payment_method": "pm-1"}
    assert (await api.admin.send("PUT", f"/wallets/{wallet}/top-up-rule", rule)).status_code == 200
    usage = await _used(api, wallet, made["currency"])
    paths = {
        f"/wallets/{wallet}": "wallet.read",
        f"/wallets/{wallet}/balance": "balance.read",
        f"/wallets/{wallet}/transactions": "transactions.read",
        f"/wallets/{wallet}/statistics": "statistics.read",
        f"/users/{user.user_id}/wallets": "user_wallets.read",
        f"/users/{user.user_id}/transactions": "user_transactions.read",
        f"/users/{user.user_id}/statistics": "user_statistics.read",
        f"/users/{user.user_id}/credits/balance": "user_credits.read",
        f"/transactions/{transfer}": "transaction.read",
        f"/wallets/{wallet}/grants": "grants.read",
        f"/grants/{grant['grant_id']}": "grant.read",
        f"/wallets/{wallet}/limits": "limits.read",
        f"/wallets/{wallet}/explain": "wallet.explained",
        f"/wallets/{wallet}/holds": "holds.read",
        f"/holds/{holds['hold_id']}": "hold.read",
        f"/wallets/{wallet}/alerts": "alerts.read",
        f"/wallets/{wallet}/alerts/{alerts['alert_id']}": "alert.read",
        f"/wallets/{wallet}/burn-rate": "burn_rate.read",
        f"/wallets/{wallet}/grant-schedules": "grant_schedules.read",
        f"/wallets/{wallet}/grant-schedules/{schedules['schedule_id']}": "grant_schedule.read",
        f"/wallets/{wallet}/top-up-rule": "top_up_rule.read",
        f"/wallets/{wallet}/top-ups": "top_ups.read",
        f"/top-ups/{top_ups['top_up_id']}": "top_up.read",
        f"/usage/{usage}": "usage.read",
        f"/wallets/{wallet}/usage": "usage_totals.read",
        f"/wallets/{wallet}/usage/events": "usage_events.read",
    }
    declared = {read.action for room in ROOMS for read in room.recorded_reads.values()}
    assert declared == OF_NO_WALLET | set(paths.values())
    for path in paths:
        for caller in (backend, user):
            assert (await caller.get(path)).status_code == 200, path
    assert await trail(auditor, user_id=user.user_id, action="wallet.read") == []
    for path, action in paths.items():
        answer = await api.admin.get(path)
        assert answer.status_code == 200, path
        (entry,) = await trail(auditor, user_id=user.user_id, action=action)
        assert (entry["user_id"], entry["event_id"], entry["changed"]) == (user.user_id, None, None)
        assert entry["object_id"] in path
        assert (entry["actor"], entry["request_id"]) == ("client:admin", answer.headers["X-Request-Id"])
    answer = await api.admin.get("/wallets")
    (entry,) = await trail(auditor, request_id=answer.headers["X-Request-Id"])
    assert entry["action"] == "wallets.read"
    assert (entry["object_id"], entry["user_id"]) == ("*", None)
    problem(await api.admin.get("/wallets/0199d0a8-0000-7000-8000-000000000000"), "wallet_not_found")
    missing = {"object_id": "0199d0a8-0000-7000-8000-000000000000"}
    assert await trail(auditor, **missing) == []  # a refused read shows nothing


async def test_an_operators_reads_of_jobs_are_recorded(api: Api, auditor: Client) -> None:
    answer = await api.admin.get("/jobs")
    (entry,) = await trail(auditor, request_id=answer.headers["X-Request-Id"])
    assert (entry["action"], entry["object_id"]) == ("jobs.read", "*")
    headers = {"Content-Type": "text/csv"}
    sent = await api.admin.send("POST", "/files?name=wallets.csv", b"user_id\nann\n", headers=headers)
    made = await api.admin.post("/wallets/import/jobs", {"file_id": sent.json()["file_id"]})
    job = made.json()["job_id"]
    answer = await api.admin.get(f"/jobs/{job}")
    (entry,) = await trail(auditor, request_id=answer.headers["X-Request-Id"])
    assert (entry["action"], entry["object_id"], entry["user_id"]) == ("job.read", job, None)


async def test_a_statement_is_recorded_before_its_first_line(api: Api, auditor: Client) -> None:
    wallet = (await api.admin.wallet("10"))["wallet_id"]
    answer = await api.admin.send("GET", f"/wallets/{wallet}/transactions", headers={"Accept": "text/csv"})
    assert answer.text.startswith("transaction_id")
    assert len(await trail(auditor, action="transactions.read", object_id=wallet)) == 1


async def test_pages_and_filters(api: Api, auditor: Client) -> None:
    user, name = new_user(), f"pages-{new_id()}"
    client = await api.service("wallets:write", name=name)
    wallets = [(await client.wallet(user_id=user, name=str(i)))["wallet_id"] for i in range(5)]
    found: list[str] = []
    cursor: dict[str, str] = {}
    moments: list[str] = []
    while True:
        page = (await auditor.get("/audit", user_id=user, limit=2, **cursor)).json()
        found += [entry["object_id"] for entry in page["items"]]
        moments += [entry["recorded_at"] for entry in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == wallets[::-1]
    between = await trail(auditor, user_id=user, **{"from": moments[3], "to": moments[1]})
    assert [entry["object_id"] for entry in between] == [wallets[1], wallets[2]]
    for filters in (
        {"actor": f"client:{name}"},
        {"client_id": name},
        {"action": "wallet.created", "client_id": name},
        {"actor": f"client:{name}", "action": "wallet.created", "client_id": name, "user_id": user},
    ):
        assert [entry["object_id"] for entry in await trail(auditor, **filters)] == wallets, filters
        assert await trail(auditor, **filters | {"client_id": "other"}) == []
    refused = await auditor.get("/audit", cursor=cursor["cursor"], user_id="another")
    assert problem(refused, "validation_failed")["errors"][0]["code"] == "cursor_invalid"
    problem(await auditor.get("/audit", by="time"), "validation_failed")


async def test_csv_has_every_entry_and_runs_no_formula(api: Api, auditor: Client) -> None:
    user = f"=1+1-{new_id()}"
    body = {"user_id": user}
    for name in range(120):
        await api.admin.post("/wallets", body | {"name": str(name)})
    answer = await auditor.send("GET", "/audit", headers={"Accept": "text/csv"}, query={"user_id": user})
    assert answer.headers["Content-Type"].startswith("text/csv")
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert tuple(header) == COLUMNS
    entries = [dict(zip(header, row, strict=True)) for row in rows]
    assert len(entries) == 120
    assert {entry["user_id"] for entry in entries} == {f"'{user}"}
    assert json.loads(entries[0]["after"])["name"] == "119"


async def test_a_page_ends_before_it_is_too_large_for_one_response(api: Api, auditor: Client) -> None:
    """A call of a Supabase project returns at most 1 MiB; names of members are not masked, so metadata stays large."""
    metadata = {f"{number:04x}": 1 for number in range(1400)}
    wallet = (await api.admin.wallet(metadata=metadata))["wallet_id"]
    for number in range(12):
        changed = dict.fromkeys(metadata, number % 2)
        assert (await api.admin.patch(f"/wallets/{wallet}", {"metadata": changed})).status_code == 200
    answer = await auditor.get("/audit", object_id=wallet)
    assert len(answer.content) < 900_000
    assert 1 < len(answer.json()["items"]) < 13
    assert answer.json()["next_cursor"] is not None
    assert len(await trail(auditor, object_id=wallet)) == 13
    answer = await auditor.send("GET", "/audit", headers={"Accept": "text/csv"}, query={"object_id": wallet})
    csv.field_size_limit(1_000_000)
    assert len(list(csv.reader(io.StringIO(answer.text)))) == 14


async def test_a_user_with_the_longest_name_is_found(api: Api, auditor: Client) -> None:
    name = new_user()
    user = api.user(name.ljust(255, "x"))
    await user.wallet()
    (entry,) = await trail(auditor, actor=f"user:{user.user_id}")
    assert await trail(auditor, client_id=entry["client_id"]) == [entry]


async def test_reading_the_trail_is_recorded_and_needs_its_permission(api: Api, auditor: Client) -> None:
    first = await auditor.get("/audit")
    (entry,) = await trail(auditor, request_id=first.headers["X-Request-Id"])
    assert (entry["action"], entry["object_id"]) == ("audit_entries.read", "*")
    assert entry["client_id"].startswith("service-")
    problem(await (await api.service("wallets:read", "stats:read")).get("/audit"), "forbidden")
    problem(await api.user().get("/audit"), "forbidden")
    restricted = await api.service("audit:read", restriction=Restriction(user_id="user-1"))
    problem(await restricted.get("/audit"), "forbidden")


async def test_an_earlier_release_is_an_unknown_caller(api: Api, auditor: Client) -> None:
    wallet = (await api.admin.wallet())["wallet_id"]
    await api.app.state.database.call("close_wallet", wallet_id=wallet, user_id=None, version=None)
    entries = await trail(auditor, object_id=wallet)
    assert [entry["actor"] for entry in entries] == ["client:admin", "unknown"]


async def test_retention_deletes_what_is_old_and_nothing_else_does(
    timed_postgres: TestDatabase, clock: SettableClock, locate_database: Locate
) -> None:
    connection = await asyncpg.connect(timed_postgres.dsn)
    async with open_api(await locate_database(timed_postgres)) as api:
        repository = AuditRepository(api.app.state.database)
        for _ in range(3):
            await api.admin.wallet()
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            await connection.execute("delete from platform.audit_entries")
        with pytest.raises(ValidationFailed):
            await repository.delete_expired(29)
        assert await repository.delete_expired(30) == (0, False)
        await clock.set(datetime.now(UTC) + timedelta(days=31))
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            await connection.execute("delete from platform.audit_entries")
        await api.admin.wallet()
        with acting_as(RecordedCaller(actor="command:root")):
            assert await repository.delete_expired(30) == (3, False)
        left = await connection.fetch(
            "select action, actor, before from platform.audit_entries order by sequence"
        )
        assert [(row["action"], row["actor"]) for row in left] == [
            ("wallet.created", "client:admin"),
            ("audit_entries.expired", "command:root"),
        ]
        assert json.loads(left[1]["before"])["entries"] == 3
        with pytest.raises(asyncpg.PostgresError, match="append-only"):  # also later in the same session
            await connection.execute("delete from platform.audit_entries")
    await connection.close()


async def test_verify_checks_the_trail_and_that_each_event_has_its_entry(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    made = await fresh_database()
    superuser = await asyncpg.connect(made.dsn)
    async with open_api(await locate_database(made)) as api:
        await _verify(api, superuser)
    await superuser.close()


async def _verify(api: Api, superuser: asyncpg.Connection) -> None:
    wallet = await api.admin.wallet("10")
    await api.admin.patch(f"/wallets/{wallet['wallet_id']}", {"name": "other"})
    await api.admin.read(wallet["wallet_id"])
    await superuser.execute("select wallet_api.number_events()")
    lines: list[str] = []
    assert await verify(api.app.state.database, lines.append, WALKS), lines
    assert any(line.startswith("audited: ") and "0 changes" not in line for line in lines)
    event = await superuser.fetchval(
        "select event_id from delivery.events where event_type = 'wallet.updated'"
    )
    await superuser.execute("alter table platform.audit_entries disable trigger all")
    await superuser.execute("delete from platform.audit_entries where event_id = $1", event)
    await superuser.execute(
        "update platform.audit_entries set event_id = null where action = 'wallet.created'"
    )
    lines.clear()
    assert not await verify(api.app.state.database, lines.append, WALKS)
    assert f"FAULT audited: event {event}" in lines
    assert any(line.startswith("FAULT audit event: audit entry ") for line in lines)


async def test_verify_does_not_miss_the_entries_that_the_retention_has_deleted(
    timed_postgres: TestDatabase, clock: SettableClock
) -> None:
    """The trail may be kept for a shorter time than events: 30 days, and 90."""
    superuser = await asyncpg.connect(timed_postgres.dsn)
    lines: list[str] = []
    async with open_api(timed_postgres.service_dsn) as api:
        await api.admin.wallet()
        await clock.set(datetime.now(UTC) + timedelta(days=31))
        await api.admin.wallet()
        assert await AuditRepository(api.app.state.database).delete_expired(30) == (1, False)
        await superuser.execute("select wallet_api.number_events()")
        assert await verify(api.app.state.database, lines.append, WALKS), lines
        await superuser.execute("alter table platform.audit_entries disable trigger all")
        await superuser.execute("delete from platform.audit_entries where action = 'wallet.created'")
        assert not await verify(api.app.state.database, lines.append, WALKS), "the later entry is missed"
        assert len([line for line in lines if line.startswith("FAULT audited: event ")]) == 1
    await superuser.close()


async def test_verify_finds_an_entry_whose_event_is_lost(fresh_database: FreshDatabase) -> None:
    """Whether the event had its number or not; what was removed by the retention is not missed."""
    made = await fresh_database()
    superuser = await asyncpg.connect(made.dsn)
    lines: list[str] = []

    async def lost() -> list[int]:
        lines.clear()
        await verify(api.app.state.database, lines.append, WALKS)
        found = [line for line in lines if line.startswith("FAULT event of entry: audit entry ")]
        return [int(line.rpartition(" ")[2]) for line in found]

    async with open_api(made.service_dsn) as api:
        for _ in range(4):
            await api.admin.wallet()
        await superuser.execute("select wallet_api.number_events()")
        await api.admin.wallet()
        assert await lost() == []
        await superuser.execute("delete from delivery.events where number = 3")
        await superuser.execute("delete from platform.outbox")
        assert await lost() == [3, 5]
        await superuser.execute(
            "delete from delivery.events where number < 3; update delivery.numbering set oldest_number = 4;"
            "update delivery.events set numbered_at = numbered_at - interval '2 hours'"
        )
        assert await lost() == [1, 2, 3, 5], "all are newer than the oldest event by more than an hour"
        await superuser.execute("update delivery.events set numbered_at = numbered_at + interval '2 hours'")
        assert await lost() == []
    await superuser.close()
