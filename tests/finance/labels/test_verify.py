"""What ``verify`` finds in the tables of books and labels."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest
from conftest import FreshDatabase, TestDatabase
from support.api import Api, open_api


def moved(*moves: tuple[str, str]) -> str:
    """Puts categories under others, by their system keys."""
    pairs = ", ".join(f"('{what}', '{under}')" for what, under in moves)
    return (
        "update finance.labels l set parent_id = p.label_id from finance.labels p"
        f" where (l.system_key, p.system_key) in ({pairs})"
    )


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


async def faults(api: Api, function: str) -> set[str]:
    found = json.loads(await api.app.state.database.read(function, after=None, limit=1000))
    assert found["checked"] == 1
    return {each["check"] for each in found["faults"]}


async def book_of(api: Api) -> str:
    user = api.user()
    book = await user.post("/books", {"base_currency": "EUR"})
    wallet = await user.wallet()
    path = f"/books/{book.json()['book_id']}/wallets/{wallet['wallet_id']}"
    assert (await user.send("PUT", path, {"purpose": "savings"})).status_code == 200
    for function in ("verify_books", "verify_labels"):
        assert await faults(api, function) == set()
    return book.json()["book_id"]


@pytest.mark.parametrize(
    ("function", "fault", "change"),
    [
        (
            "verify_books",
            "book wallets",
            "update finance.book_wallets set wallet_id = '0199d0a8-0000-7000-8000-00000000dead'",
        ),
        ("verify_books", "book calendar", "update finance.books set time_zone = 'Europe/Atlantis'"),
        (
            "verify_labels",
            "label circle",
            moved(("housing", "rent")),
        ),
        (
            "verify_labels",
            "label depth",
            moved(("food", "rent"), ("transport", "groceries"), ("health", "fuel")),
        ),
        (
            "verify_labels",
            "label root",
            "update finance.labels set parent_id = null where system_key = 'housing'",
        ),
        (
            "verify_labels",
            "label roots",
            moved(("income", "transfer")),
        ),
    ],
)
async def test_a_fault_is_found(
    api: Api, connection: asyncpg.Connection, function: str, fault: str, change: str
) -> None:
    await book_of(api)
    await connection.execute(change)
    assert await faults(api, function) == {fault}


async def test_no_label_of_another_book_or_kind_is_a_parent(api: Api, connection: asyncpg.Connection) -> None:
    await book_of(api)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await connection.execute(
            "update finance.labels set kind = 'tag', system_key = null where system_key = 'food'"
        )
