"""Each fault of the audit trail is found by the check that the programs of tests/test_stateful.py make at their end."""

from pathlib import Path
from typing import Any

import asyncpg
from conftest import FreshDatabase
from support.api import Api, new_user, open_api
from support.expected_audit import check_entries
from support.oracle import Oracle

SERVICE = Path(__file__).parents[3] / "wallet_service"
RECORD = "platform/changes/sql/record_change.sql"
UPDATE = "money/wallets/sql/update_wallet.sql"

_LAST = "p_action, p_object_id, p_user_id, p_before, p_after, p_event_id, p_changed);\n"
_AGAIN = """
  insert into platform.audit_entries (recorded_at, actor, client_id, request_id, action, object_id, user_id,
      before, after, event_id, changed)
    values (wallet.clock(), p_caller ->> 'actor', p_caller ->> 'client_id', p_caller ->> 'request_id', p_action,
      p_object_id, p_user_id, p_before, p_after, p_event_id, p_changed);
"""
_INSERT = "  insert into platform.audit_entries ("
MUTANTS = (
    ("dropped", RECORD, _INSERT, "  if p_action = 'wallet.frozen' then return; end if;\n" + _INSERT),
    (
        "former-primary-dropped",
        UPDATE,
        "    perform wallet.record_wallet_change(p_caller, v_old, v_new);\n  end if;",
        "  end if;",
    ),
    ("twice", RECORD, _LAST, _LAST + _AGAIN),
    ("another-actor", RECORD, "coalesce(p_caller ->> 'actor', 'unknown')", "'service'"),
    ("no-request", RECORD, "p_caller ->> 'request_id',", "null,"),
    (
        "before-is-after",
        RECORD,
        "platform.mask_members(p_before, v_names)",
        "case when p_before is not null then platform.mask_members(p_after, v_names) end",
    ),
    ("not-masked", RECORD, "platform.mask_members(p_after, v_names)", "p_after"),
    ("nothing-changed", RECORD, "platform.list_differences(p_before, p_after)", "'{}'::text[]"),
)


async def change_wallets(api: Api, oracle: Oracle) -> None:
    """Create and change the wallets of a user. The oracle checks the responses."""
    user = new_user()
    for name in ("main", "travel"):
        request: dict[str, Any] = {"user_id": user, "currency": "USD", "name": name}
        oracle.create(request, None, await api.admin.post("/wallets", request))
    first, second = list(oracle.wallets)[-2:]
    for wallet_id, changes in (
        (second, {"is_primary": True, "metadata": {"team": "blue"}}),
        (first, {"status": "frozen", "name": "kept"}),
        (first, {"status": "active"}),
    ):
        oracle.patch(wallet_id, changes, None, await api.admin.patch(f"/wallets/{wallet_id}", changes))
    oracle.close(first, None, await api.admin.delete(f"/wallets/{first}"))


async def check(api: Api, oracle: Oracle) -> None:
    for wallet_id, wallet in oracle.wallets.items():
        answer = await api.admin.get("/audit", object_id=wallet_id, limit=100)
        entries = [entry for entry in answer.json()["items"] if entry["event_id"] is not None]
        check_entries(entries[::-1], wallet)


async def test_each_fault_of_the_trail_is_found(fresh_database: FreshDatabase) -> None:
    database = await fresh_database()
    superuser = await asyncpg.connect(database.dsn)
    async with open_api(database.service_dsn) as api:
        oracle = Oracle()
        await change_wallets(api, oracle)
        await check(api, oracle)
        for name, file, before, after in MUTANTS:
            text = (SERVICE / file).read_text()
            assert text.count(before) == 1, name
            await superuser.execute(text.replace(before, after))
            oracle = Oracle()
            await change_wallets(api, oracle)
            await superuser.execute(text)
            found = False
            try:
                await check(api, oracle)
            except AssertionError:
                found = True
            assert found, f"{name} is not found"
    await superuser.close()
