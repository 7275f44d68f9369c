"""Books over HTTP, on both drivers."""

from typing import Any

import httpx
import pytest
from support.api import Api, Client, conforms, new_user, pointers, problem

from wallet_service.core.identifiers import new_id
from wallet_service.finance.books.schemas import Book, BookWallet
from wallet_service.platform.auth.restrictions import Restriction

NEW = {"base_currency": "EUR", "time_zone": "Europe/Berlin"}


def book_of(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found = conforms(answer.content, Book)
    assert answer.headers["ETag"] == f'"{found["version"]}"'
    if status == 201:
        assert answer.headers["Location"] == f"/api/v1/books/{found['book_id']}"
    return found


async def create(client: Client, **members: Any) -> dict[str, Any]:
    return book_of(await client.post("/books", NEW | members), 201)


def ids(answer: httpx.Response, name: str = "book_id") -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item[name] for item in answer.json()["items"]]


async def test_a_user_creates_its_book_once_reads_and_changes_it(api: Api) -> None:
    user = api.user()
    problem(await user.get(f"/books/{new_id()}"), "book_not_found")
    book = await create(user)
    assert book | {"created_at": 0, "updated_at": 0, "book_id": 0} == {
        "book_id": 0,
        "user_id": user.user_id,
        "organization_id": None,
        "base_currency": "EUR",
        "time_zone": "Europe/Berlin",
        "month_start_day": 1,
        "week_start": "monday",
        "year_start_month": 1,
        "version": 1,
        "created_at": 0,
        "updated_at": 0,
    }
    path = f"/books/{book['book_id']}"
    assert book_of(await user.get(path)) == book
    assert problem(await user.post("/books", NEW), "book_exists")["book_id"] == book["book_id"]
    assert ids(await user.get("/books")) == [book["book_id"]]

    change = {"month_start_day": 31, "week_start": "sunday", "year_start_month": 4, "time_zone": "UTC"}
    changed = book_of(await user.patch(path, change | {"base_currency": "USD"}, if_match='"1"'))
    assert changed == book | change | {
        "base_currency": "USD",
        "version": 2,
        "updated_at": changed["updated_at"],
    }
    assert book_of(await user.patch(path, change, if_match="*")) == changed, "nothing changed"
    assert problem(await user.patch(path, change, if_match='"1"'), "version_mismatch")["version"] == 2
    assert pointers(problem(await user.patch(path, change, if_match="x"), "validation_failed")) == [
        "/If-Match"
    ]
