"""Books over HTTP, on both drivers."""

import asyncio
from typing import Any

import httpx
import pytest
from support.api import Api, Client, conforms, new_user, pointers, problem

from wallet_service.core.identifiers import new_id
from wallet_service.finance.books.schemas import Book, BookWallet, ChangedBook
from wallet_service.platform.auth.restrictions import Restriction

NEW = {"base_currency": "EUR", "time_zone": "Europe/Berlin"}


def book_of(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    is_change = answer.request.method == "PATCH"
    found = conforms(answer.content, ChangedBook if is_change else Book)
    if is_change:
        assert found.pop("redate_job_id") is None
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


async def test_others_things_are_not_found(api: Api) -> None:
    user = api.user()
    book = await create(user)
    path = f"/books/{book['book_id']}"
    wallet = await user.wallet()
    strangers = (
        api.user(),
        await api.service("books:write", restriction=Restriction(user_id=new_user())),
        await api.service("books:write", restriction=Restriction(organization_id="x")),
        await api.service(
            "books:write", restriction=Restriction(wallet_ids=frozenset({wallet["wallet_id"]}))
        ),
    )
    for stranger in strangers:
        problem(await stranger.get(path), "book_not_found")
        problem(await stranger.get(f"{path}/wallets"), "book_not_found")
        problem(await stranger.patch(path, {"month_start_day": 2}), "book_not_found")
        answer = await stranger.send("PUT", f"{path}/wallets/{wallet['wallet_id']}", {"purpose": "savings"})
        problem(answer, "wallet_not_found" if stranger in strangers[1:3] else "book_not_found")
        assert ids(await stranger.get("/books", user_id=user.user_id)) == []
    reader = await api.service("books:read")
    assert book_of(await reader.get(path)) == book, "a key sees every book"
    assert problem(await reader.patch(path, {}), "forbidden")["scope"] == "books:write"
    assert problem(await reader.post("/books", NEW), "forbidden")["scope"] == "books:write"


async def test_a_key_names_the_owner_and_a_user_token_only_its_own_user(api: Api) -> None:
    assert pointers(problem(await api.admin.post("/books", NEW), "validation_failed")) == ["/user_id"]
    organization = f"org-{new_id()}"
    both = NEW | {"user_id": new_user(), "organization_id": organization}
    assert pointers(problem(await api.admin.post("/books", both), "validation_failed")) == [
        "/organization_id"
    ]
    for other in ({"user_id": new_user()}, {"organization_id": organization}):
        problem(await api.user().post("/books", NEW | other), "forbidden")
        restricted = await api.service("books:write", restriction=Restriction(user_id=new_user()))
        problem(await restricted.post("/books", NEW | other), "forbidden")
    book = await create(api.admin, organization_id=organization)
    assert (book["user_id"], book["organization_id"]) == (None, organization)
    assert ids(await api.admin.get("/books", organization_id=organization)) == [book["book_id"]]
    own = Restriction(organization_id=organization)
    restricted = await api.service("books:write", restriction=own)
    assert ids(await restricted.get("/books")) == [book["book_id"]]
    assert problem(await restricted.post("/books", NEW), "book_exists")["book_id"] == book["book_id"]


async def test_without_checks_of_members_no_user_sees_an_organizations_book(api: Api) -> None:
    organization = f"org-{new_id()}"
    book = await create(api.admin, organization_id=organization)
    user = api.user()
    await api.admin.wallet(user_id=user.user_id, organization_id=organization)
    problem(await user.get(f"/books/{book['book_id']}"), "book_not_found")
    assert ids(await user.get("/books", organization_id=organization)) == []


async def test_a_key_and_request_create_one_book(api: Api) -> None:
    user = api.user()
    first = await user.post("/books", NEW, key="one")
    again = await user.post("/books", NEW, key="one")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    problem(await user.post("/books", NEW | {"week_start": "friday"}, key="one"), "idempotency_key_reused")
    problem(await user.post("/books", NEW, key="two"), "book_exists")


async def test_two_at_once_create_one_book(api: Api) -> None:
    user = api.user()
    answers = await asyncio.gather(*(user.post("/books", NEW) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("base_currency", "XXX", "currency_unknown"),
        ("base_currency", "eur", "validation_failed"),
        ("base_currency", None, "validation_failed"),
        ("time_zone", "Europe/Atlantis", "validation_failed"),
        ("time_zone", "CET", "validation_failed"),
        ("time_zone", "UTC+1", "validation_failed"),
        ("month_start_day", 0, "validation_failed"),
        ("month_start_day", 32, "validation_failed"),
        ("month_start_day", "1", "validation_failed"),
        ("month_start_day", None, "validation_failed"),
        ("week_start", "Monday", "validation_failed"),
        ("week_start", 1, "validation_failed"),
        ("year_start_month", 13, "validation_failed"),
        ("user_id", "another", "validation_failed"),
        ("redate", "yes", "validation_failed"),
    ],
)
async def test_bad_input_is_named(api: Api, member: str, value: Any, code: str) -> None:
    user = api.user()
    book = await create(user)
    refused = problem(await user.patch(f"/books/{book['book_id']}", {member: value}), code)
    if code == "validation_failed":
        assert pointers(refused) == [f"/{member}"]
    assert book_of(await user.get(f"/books/{book['book_id']}")) == book
    if member not in {"user_id", "redate"}:
        problem(await api.user().post("/books", NEW | {member: value}), code)


async def test_the_wallets_of_a_book_are_those_of_its_owner(api: Api) -> None:
    user = api.user()
    organization = f"org-{new_id()}"
    book = await create(user)
    shared = await create(api.admin, organization_id=organization)
    path = f"/books/{book['book_id']}/wallets"
    own = [(await user.wallet(name=name))["wallet_id"] for name in ("main", "car", "house")]
    business = await api.admin.wallet(user_id=user.user_id, organization_id=organization, name="business")
    other = await api.admin.wallet(user_id=new_user(), organization_id=organization)
    await api.admin.wallet()

    first = await user.get(path, limit=2)
    assert ids(first, "wallet_id") == own[:2]
    assert ids(await user.get(path, limit=2, cursor=first.json()["next_cursor"]), "wallet_id") == own[2:]
    assert ids(await api.admin.get(f"/books/{shared['book_id']}/wallets"), "wallet_id") == [
        business["wallet_id"],
        other["wallet_id"],
    ]

    answer = await user.send("PUT", f"{path}/{own[1]}", {"purpose": "asset"})
    assert answer.status_code == 200, answer.text
    assert conforms(answer.content, BookWallet) == {
        "book_id": book["book_id"],
        "wallet_id": own[1],
        "user_id": user.user_id,
        "name": "car",
        "currency": "CREDIT",
        "keeping": "operating",
        "status": "active",
        "purpose": "asset",
    }
    purposes = [item["purpose"] for item in (await user.get(path)).json()["items"]]
    assert purposes == [None, "asset", None]
    assert (await user.send("PUT", f"{path}/{own[1]}", {"purpose": None})).json()["purpose"] is None
    assert [item["purpose"] for item in (await user.get(path)).json()["items"]] == [None] * 3
    for wallet_id in (business["wallet_id"], other["wallet_id"], new_id()):
        problem(await user.send("PUT", f"{path}/{wallet_id}", {"purpose": "debt"}), "wallet_not_found")
    for bad in ({}, {"purpose": ""}, {"purpose": "a\n"}, {"purpose": "x" * 65}):
        refused = problem(await user.send("PUT", f"{path}/{own[0]}", bad), "validation_failed")
        assert pointers(refused) == ["/purpose"]
