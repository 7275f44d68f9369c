"""What changes of books and labels leave: one event and one audit entry each, and nothing where nothing changed."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from conftest import FreshDatabase, TestDatabase
from support.api import Api, open_api

from wallet_service.finance.books.schemas import Book, BookWallet
from wallet_service.finance.labels.schemas import Label


@pytest.fixture
async def made(fresh_database: FreshDatabase) -> TestDatabase:
    return await fresh_database()


@pytest.fixture
async def api(made: TestDatabase) -> AsyncIterator[Api]:
    async with open_api(made.service_dsn) as opened:
        yield opened


@pytest.fixture
async def connection(made: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(made.dsn)
    yield opened
    await opened.close()


async def audited(connection: asyncpg.Connection) -> list[dict[str, Any]]:
    """The changes of finance in their order, as the audit trail has them."""
    rows = await connection.fetch(
        "select action, actor, user_id, object_id, before, after from platform.audit_entries"
        " where action ~ '^(book|book_wallet|label)[.]' and action !~ '[.]read$' order by recorded_at, event_id"
    )
    return [dict(row) for row in rows]


async def test_each_change_is_recorded_once(api: Api, connection: asyncpg.Connection) -> None:
    user = api.user()
    book = (await user.post("/books", {"base_currency": "EUR"}, key="one")).json()
    await user.post("/books", {"base_currency": "EUR"}, key="one")
    await user.post("/books", {"base_currency": "EUR"})
    path = f"/books/{book['book_id']}"
    wallet = await user.wallet()
    for _ in range(2):
        await user.patch(path, {"week_start": "friday"})
        await user.send("PUT", f"{path}/wallets/{wallet['wallet_id']}", {"purpose": "savings"})
    one = (await user.post("/payees", {"name": "Corner Bakery"})).json()["label_id"]
    other = (await user.post("/payees", {"name": "Bakery"})).json()["label_id"]
    for _ in range(2):
        await user.patch(f"/payees/{one}", {"archived": True})
        await user.post(f"/payees/{one}/merge", {"into": other})
        await user.patch(f"/payees/{one}", {"name": "refused"})
    await user.post(f"/payees/{one}/unmerge")
    await user.delete(f"/payees/{one}")

    found = await audited(connection)
    assert [each["action"] for each in found] == [
        "book.created",
        "book.updated",
        "book_wallet.updated",
        "label.created",
        "label.created",
        "label.updated",
        "label.merged",
        "label.unmerged",
        "label.deleted",
    ]
    assert {(each["actor"], each["user_id"]) for each in found} == {(f"user:{user.user_id}", user.user_id)}
    models = {"book": Book, "book_wallet": BookWallet, "label": Label}
    for each in found:
        for side in ("before", "after"):
            if each[side] is not None:
                document = json.loads(each[side])
                models[each["action"].partition(".")[0]].model_validate(document)
                assert document.get("name", "***") == "***" or each["action"] == "book_wallet.updated"
    assert [each["before"] is None for each in found].count(True) == 3
    assert found[-1]["after"] is None
    listed = (await api.admin.get("/events", types="label.merged")).json()["items"]
    assert [each["subject"] for each in listed] == [one]
