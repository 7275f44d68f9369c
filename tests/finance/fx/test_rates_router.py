"""Rates over HTTP, on both drivers: set, listed, removed, and what is refused."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from conftest import TestDatabase
from support.api import Api, Client, open_api, pointers, problem
from support.clock import SettableClock
from support.database_location import DatabaseLocation

from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.restrictions import Restriction

from .fx_api import converted, put, rate

NOW = datetime(2026, 2, 10, 23, 30, tzinfo=UTC)


@pytest.fixture
async def api(timed_location: DatabaseLocation, clock: SettableClock) -> AsyncIterator[Api]:
    await clock.set(NOW)
    async with open_api(timed_location) as opened:
        yield opened


async def listed(client: Client, **query: Any) -> list[str]:
    """All pages of one rate each."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        answer = await client.get("/fx/rates", **query, limit=1, **({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found += [
            f"{each['day'][5:]} {each['base']}-{each['quote']} {each['rate']}"
            for each in answer.json()["items"]
        ]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


async def test_rates_are_set_listed_and_removed(api: Api, timed_postgres: TestDatabase) -> None:
    stored = await put(
        api.admin,
        rate("EUR-USD", "2026-02-10", "1.05"),
        rate("EUR-GBP", "2026-02-10", "0.80"),
        rate("EUR-USD", "2026-02-09", "1.0400"),
        rate("GBP-EUR", "2026-02-08", "1.20"),
    )
    assert stored[0] == {
        "book_id": None,
        "base": "EUR",
        "quote": "USD",
        "day": "2026-02-10",
        "rate": "1.05",
        "source": "manual",
        "updated_at": "2026-02-10T23:30:00.000000Z",
    }
    user = api.user()
    everything = ["02-10 EUR-GBP 0.8", "02-10 EUR-USD 1.05", "02-09 EUR-USD 1.04", "02-08 GBP-EUR 1.2"]
    assert await listed(user) == everything
    assert await listed(user, quote="USD") == [everything[1], everything[2]]
    assert await listed(user, base="GBP") == [everything[3]]
    assert await listed(user, first_day="2026-02-09", last_day="2026-02-09") == [everything[2]]
    changed = await put(api.admin, rate("EUR-USD", "2026-02-10", None), rate("EUR-GBP", "2026-02-10", "0.81"))
    assert [each["rate"] for each in changed] == ["0.81"]
    assert await listed(user) == ["02-10 EUR-GBP 0.81", *everything[2:]]
    await put(api.admin, rate("EUR-GBP", "2026-02-10", "0.810"))  # nothing changes

    connection = await asyncpg.connect(timed_postgres.dsn)
    rows = await connection.fetch(
        "select object_id, before ->> 'count' as before, after -> 'rates' -> 0 ->> 'rate' as rate"
        " from platform.audit_entries where action = 'exchange_rates.updated'"
    )
    await connection.close()
    # The clock stands still, so they have no order.
    assert {tuple(row) for row in rows} == {("service", "0", "1.05"), ("service", "2", "0.81")}
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"rate": "0"}, "/rates/1/rate"),
        ({"rate": "-1"}, "/rates/1/rate"),
        ({"rate": "1.0000000000000000001"}, "/rates/1/rate"),
        ({"day": "2026-02-11"}, "/rates/1/day"),
        ({"day": "2026-02-30"}, "/rates/1/day"),
        ({"base": "XXQ"}, "/rates/1/base"),
        ({"quote": "XXQ"}, "/rates/1/quote"),
        ({"quote": "EUR"}, "/rates/1/quote"),
        ({"quote": "BGN"}, "/rates/1/day"),
        ({"quote": "GBP"}, "/rates/0"),
    ],
)
async def test_a_rate_that_can_t_be_is_refused_with_its_member(
    direct_api: Api, changes: dict[str, str], pointer: str
) -> None:
    """By the real clock of the worker's database, of which tomorrow is after."""
    if changes.get("day") == "2026-02-11":
        changes = {"day": "9999-12-31"}
    good = rate("EUR-GBP", "2026-02-10", "0.8")
    body = {"rates": [good, rate("EUR-USD", "2026-02-10", "1") | changes]}
    refused = await direct_api.admin.send("PUT", "/fx/rates", body)
    code = "amount_invalid" if changes.get("rate") in ("0", "-1") else "validation_failed"
    assert pointers(problem(refused, code)) == [pointer]
    answer = await direct_api.admin.get("/fx/rates", first_day="2026-02-10", last_day="2026-02-10")
    assert answer.json()["items"] == []  # all or none


async def test_a_book_has_rates_of_its_own(api: Api) -> None:
    user, stranger = api.user(), api.user()
    zone = {"base_currency": "EUR", "time_zone": "Pacific/Kiritimati"}
    book = (await user.post("/books", zone)).json()["book_id"]
    await put(api.admin, rate("EUR-USD", "2026-02-10", "1.05"))
    await put(user, rate("EUR-USD", "2026-02-11", "2"), book_id=book)  # its day has begun there
    assert await listed(user, book_id=book) == ["02-11 EUR-USD 2"]
    assert await listed(stranger) == ["02-10 EUR-USD 1.05"]
    assert (await converted(user, "1.00", "EUR-USD", book_id=book))["converted"] == "2.00"
    assert (await converted(user, "1.00", "EUR-USD"))["converted"] == "1.05"
    assert (await converted(api.admin, "1.00", "EUR-USD", book_id=book))["converted"] == "2.00"
    for client in (stranger, api.admin):
        other = book if client is stranger else new_id()
        body = {"book_id": other, "rates": [rate("EUR-USD", "2026-02-10", "2")]}
        problem(await client.send("PUT", "/fx/rates", body), "book_not_found")
        problem(await client.get("/fx/rates", book_id=other), "book_not_found")
        problem(
            await client.get("/fx/convert", **{"from": "EUR", "to": "USD", "amount": "1"}, book_id=other),
            "book_not_found",
        )


async def test_who_may_set_which_rates(api: Api) -> None:
    user = api.user()
    book = (await user.post("/books", {"base_currency": "EUR"})).json()["book_id"]
    service = {"rates": [rate("EUR-USD", "2026-02-10", "1.05")]}
    own = service | {"book_id": book}
    assert problem(await user.send("PUT", "/fx/rates", service), "forbidden")["scope"] == "rates:write"
    problem(await user.post("/fx/rates/refresh"), "forbidden")
    operator = await api.service("rates:write")
    assert (await operator.send("PUT", "/fx/rates", service)).status_code == 200
    problem(await operator.send("PUT", "/fx/rates", own), "forbidden")
    books = await api.service("exchange_rates:write")
    assert (await books.send("PUT", "/fx/rates", own)).status_code == 200
    problem(await books.send("PUT", "/fx/rates", service), "forbidden")
    restricted = await api.service("exchange_rates:write", restriction=Restriction(user_id="other"))
    problem(await restricted.send("PUT", "/fx/rates", own), "book_not_found")
