"""Categories, payees and tags over HTTP, on both drivers."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from support.api import Api, Client, conforms, new_user, pointers, problem

from wallet_service.core.identifiers import new_id
from wallet_service.finance.labels.schemas import Label, LabelPage
from wallet_service.platform.auth.restrictions import Restriction

PATHS = ("categories", "payees", "tags")


def label_of(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found = conforms(answer.content, Label)
    assert answer.headers["ETag"] == f'"{found["version"]}"'
    return found


class Book:
    """A user with a book, and its labels."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @classmethod
    async def of(cls, client: Client) -> "Book":
        answer = await client.post("/books", {"base_currency": "EUR"})
        assert answer.status_code == 201, answer.text
        return cls(client)

    async def all(self, path: str = "categories", **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            answer = await self.client.get(f"/{path}", limit=37, **query)
            assert answer.status_code == 200, answer.text
            page = conforms(answer.content, LabelPage)
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            query["cursor"] = page["next_cursor"]

    async def by_key(self) -> Mapping[str, dict[str, Any]]:
        return {each["system_key"]: each for each in await self.all()}

    async def add(self, path: str, name: str, parent_id: str | None = None, **members: Any) -> dict[str, Any]:
        body: dict[str, Any] = {"name": name} | members
        if parent_id is not None:
            body["parent_id"] = parent_id
        return label_of(await self.client.post(f"/{path}", body), 201)

    async def chain(self, path: str, *names: str, under: str | None = None) -> list[str]:
        ids: list[str] = []
        for name in names:
            under = (await self.add(path, name, under))["label_id"]
            ids.append(under)
        return ids


async def test_a_new_book_has_sixty_categories_under_three_roots(api: Api) -> None:
    book = await Book.of(api.user())
    categories = await book.all()
    keys = {each["system_key"]: each for each in categories}
    assert len(categories) == len(keys) == 60
    roots = [each["system_key"] for each in categories if each["parent_id"] is None]
    assert roots == ["income", "expense", "transfer"], "in the order of the list"
    assert {each["root"] for each in categories} == set(roots)
    for key in ("opening_balance", "not_counted"):
        assert keys[key]["parent_id"] == keys["transfer"]["label_id"]
        assert keys[key]["root"] == "transfer"
    assert (keys["groceries"]["name"], keys["groceries"]["root"]) == ("Groceries", "expense")
    assert keys["groceries"]["parent_id"] == keys["food"]["label_id"]
    assert await book.all("payees") == await book.all("tags") == []


@pytest.mark.parametrize("path", PATHS)
async def test_labels_are_created_changed_moved_and_deleted(api: Api, path: str) -> None:
    book = await Book.of(api.user())
    root = (await book.by_key())["expense"]["label_id"] if path == "categories" else None
    parent = await book.add(path, "Food outside", root)
    body = {"name": "Bakery", "parent_id": parent["label_id"], "color": "#2a9d8f", "icon": "bread"}
    answer = await book.client.post(f"/{path}", body, key="bakery")
    label = label_of(answer, 201)
    assert answer.headers["Location"] == f"/api/v1/{path}/{label['label_id']}"
    assert label | body == label
    assert label["root"] == ("expense" if path == "categories" else None)
    assert (await book.client.post(f"/{path}", body, key="bakery")).content == answer.content
    one = f"/{path}/{label['label_id']}"
    assert label_of(await book.client.get(one)) == label

    moved = label_of(await book.client.patch(one, {"name": "Bread", "parent_id": root}, if_match='"1"'))
    assert (moved["name"], moved["parent_id"], moved["version"]) == ("Bread", root, 2)
    assert label_of(await book.client.patch(one, {"parent_id": root})) == moved, "nothing changed"
    problem(await book.client.patch(one, {"name": "x"}, if_match='"1"'), "version_mismatch")
    archived = label_of(await book.client.patch(one, {"archived": True, "color": None}))
    assert (archived["color"], archived["icon"]) == (None, "bread")
    assert archived["archived_at"] is not None
    assert [each["label_id"] for each in await book.all(path, archived="true")] == [label["label_id"]]
    assert label["label_id"] not in [each["label_id"] for each in await book.all(path, archived="false")]
    assert label_of(await book.client.patch(one, {"archived": False}))["archived_at"] is None
    assert [each["name"] for each in await book.all(path, name="BREA")] == ["Bread"]

    problem(await book.client.delete(one, if_match='"1"'), "version_mismatch")
    assert (await book.client.delete(one, if_match='"4"')).status_code == 204
    problem(await book.client.get(one), "label_not_found")
    problem(await book.client.delete(one), "label_not_found")


@pytest.mark.parametrize("path", PATHS)
async def test_a_merge_is_followed_and_can_be_taken_back(api: Api, path: str) -> None:
    book = await Book.of(api.user())
    root = (await book.by_key())["expense"]["label_id"] if path == "categories" else None
    first, child = await book.chain(path, "First", "Child", under=root)
    second, last = await book.chain(path, "Second", under=root) + await book.chain(path, "Last", under=root)

    merged = label_of(await book.client.post(f"/{path}/{first}/merge", {"into": second}))
    assert (merged["merged_into"], merged["parent_id"], merged["version"]) == (second, root, 2)
    assert label_of(await book.client.post(f"/{path}/{first}/merge", {"into": second})) == merged
    assert label_of(await book.client.get(f"/{path}/{child}"))["parent_id"] == second
    assert label_of(await book.client.post(f"/{path}/{second}/merge", {"into": last}))["merged_into"] == last
    assert label_of(await book.client.get(f"/{path}/{first}"))["merged_into"] == last, "followed to its end"
    assert label_of(await book.client.get(f"/{path}/{child}"))["parent_id"] == last
    assert {each["label_id"] for each in await book.all(path, merged="true")} == {first, second}
    refused = problem(await book.client.patch(f"/{path}/{first}", {"name": "x"}), "label_merged")
    assert refused["merged_into"] == last
    problem(await book.client.post(f"/{path}/{last}/merge", {"into": child}), "label_cycle")
    problem(await book.client.post(f"/{path}/{last}/merge", {"into": last}), "label_cycle")
    assert problem(await book.client.delete(f"/{path}/{last}"), "label_in_use")["uses"] == {
        "children": 0,
        "merges": 1,
        "parts": 0,
        "rules": 0,
        "budgets": 0,
    }

    back = label_of(await book.client.post(f"/{path}/{second}/unmerge"))
    assert back["merged_into"] is None
    assert label_of(await book.client.post(f"/{path}/{second}/unmerge")) == back, "nothing to take back"
    assert label_of(await book.client.get(f"/{path}/{child}"))["parent_id"] == second
    label_of(await book.client.post(f"/{path}/{first}/unmerge"))
    assert label_of(await book.client.get(f"/{path}/{child}"))["parent_id"] == first
    assert problem(await book.client.delete(f"/{path}/{first}"), "label_in_use")["uses"] == {
        "children": 1,
        "merges": 0,
        "parts": 0,
        "rules": 0,
        "budgets": 0,
    }


async def test_a_tree_has_no_circle_and_at_most_six_levels(api: Api) -> None:
    book = await Book.of(api.user())
    expense = (await book.by_key())["expense"]["label_id"]
    ids = await book.chain("categories", "2", "3", "4", "5", "6", under=expense)
    refused = problem(
        await book.client.post("/categories", {"name": "7", "parent_id": ids[-1]}), "label_depth"
    )
    assert (refused["depth"], refused["limit"]) == (7, 6)
    assert len(await book.all(name="7")) == 0, "a refused one leaves nothing"
    for under in ids:
        problem(await book.client.patch(f"/categories/{ids[0]}", {"parent_id": under}), "label_cycle")
    low, lower = await book.chain("categories", "low", "lower", under=expense)
    problem(await book.client.patch(f"/categories/{low}", {"parent_id": ids[3]}), "label_depth")
    problem(await book.client.post(f"/categories/{low}/merge", {"into": ids[4]}), "label_depth")
    label_of(await book.client.patch(f"/categories/{low}", {"parent_id": ids[2]}))
    assert label_of(await book.client.get(f"/categories/{lower}"))["root"] == "expense"


async def test_a_merge_is_not_taken_back_into_a_circle(api: Api) -> None:
    book = await Book.of(api.user())
    above, label, child = await book.chain("tags", "above", "label", "child")
    (other,) = await book.chain("tags", "other")
    label_of(await book.client.post(f"/tags/{label}/merge", {"into": other}))
    label_of(await book.client.patch(f"/tags/{above}", {"parent_id": child}))
    problem(await book.client.post(f"/tags/{label}/unmerge"), "label_cycle")
    label_of(await book.client.patch(f"/tags/{above}", {"parent_id": None}))
    label_of(await book.client.post(f"/tags/{label}/unmerge"))


async def test_roots_are_fixed_and_other_system_categories_are_not(api: Api) -> None:
    book = await Book.of(api.user())
    keys = await book.by_key()
    expense, rent = keys["expense"]["label_id"], keys["rent"]["label_id"]
    for change in ({"name": "Spending"}, {"archived": True}, {"parent_id": rent}):
        problem(await book.client.patch(f"/categories/{expense}", change), "label_fixed")
    problem(await book.client.post(f"/categories/{expense}/merge", {"into": rent}), "label_fixed")
    problem(await book.client.delete(f"/categories/{expense}"), "label_fixed")
    answer = await book.client.post("/categories", {"name": "A root"})
    assert pointers(problem(answer, "validation_failed")) == ["/parent_id"]
    answer = await book.client.patch(f"/categories/{rent}", {"parent_id": None})
    assert pointers(problem(answer, "validation_failed")) == ["/parent_id"]
    moved = label_of(
        await book.client.patch(f"/categories/{rent}", {"parent_id": keys["transfer"]["label_id"]})
    )
    assert (moved["root"], moved["system_key"]) == ("transfer", "rent")
    label_of(await book.client.post(f"/categories/{rent}/merge", {"into": expense}))
    assert (await book.client.delete(f"/categories/{rent}")).status_code == 204


async def test_names_differ_under_one_parent(api: Api) -> None:
    book = await Book.of(api.user())
    first = await book.add("payees", "Kiosk")
    refused = problem(await book.client.post("/payees", {"name": "kiosk"}), "label_exists")
    assert refused["label_id"] == first["label_id"]
    under = await book.add("payees", "kiosk", first["label_id"])
    problem(await book.client.patch(f"/payees/{under['label_id']}", {"parent_id": None}), "label_exists")
    await book.add("tags", "Kiosk")
    other = await book.add("payees", "Other")
    label_of(await book.client.post(f"/payees/{first['label_id']}/merge", {"into": other["label_id"]}))
    again = await book.add("payees", "Kiosk")
    problem(await book.client.post(f"/payees/{first['label_id']}/unmerge"), "label_exists")
    assert (await book.client.delete(f"/payees/{again['label_id']}")).status_code == 204
    label_of(await book.client.post(f"/payees/{first['label_id']}/unmerge"))


async def test_others_labels_are_not_found(api: Api) -> None:
    book = await Book.of(api.user())
    label = await book.add("tags", "mine")
    one = f"/tags/{label['label_id']}"
    stranger = await Book.of(api.user())
    restricted = await api.service("labels:write", restriction=Restriction(user_id=new_user()))
    for other in (stranger.client, restricted, api.user()):
        problem(await other.get(one), "label_not_found")
        problem(await other.patch(one, {"name": "x"}), "label_not_found")
        problem(await other.delete(one), "label_not_found")
        problem(await other.post(f"{one}/merge", {"into": new_id()}), "label_not_found")
        problem(await other.post(f"{one}/unmerge"), "label_not_found")
        problem(await other.get("/tags", user_id=book.client.user_id), "book_not_found")
    theirs = await stranger.add("tags", "theirs")
    for of_others in (theirs["label_id"], new_id()):
        problem(await book.client.post(f"{one}/merge", {"into": of_others}), "label_not_found")
        problem(await book.client.patch(one, {"parent_id": of_others}), "label_not_found")
        problem(await book.client.post("/tags", {"name": "x", "parent_id": of_others}), "label_not_found")
    payee = await book.add("payees", "a payee")
    problem(await book.client.patch(one, {"parent_id": payee["label_id"]}), "label_not_found")
    problem(await book.client.get(f"/payees/{label['label_id']}"), "label_not_found")
    problem(await api.user().get("/categories"), "book_not_found")
    problem(await api.user().post("/tags", {"name": "x"}), "book_not_found")

    assert pointers(problem(await api.admin.get("/tags"), "validation_failed")) == ["/user_id"]
    listed = await api.admin.get("/tags", user_id=book.client.user_id)
    assert [each["label_id"] for each in listed.json()["items"]] == [label["label_id"]]
    label_of(await api.admin.post("/tags", {"name": "by a key", "user_id": book.client.user_id}), 201)
    reader = await api.service("labels:read")
    assert problem(await reader.patch(one, {"name": "x"}), "forbidden")["scope"] == "labels:write"
    assert label_of(await reader.get(one)) == label


@pytest.mark.parametrize(
    ("path", "member", "value"),
    [
        ("payees", "name", ""),
        ("payees", "name", "x" * 101),
        ("payees", "name", "a\tb"),
        ("payees", "name", None),
        ("payees", "tax_code", "81"),
        ("tags", "tax_code", "81"),
        ("tags", "color", "red"),
        ("tags", "icon", ""),
        ("tags", "parent_id", "x"),
        ("tags", "merged_into", None),
        ("tags", "system_key", "income"),
        ("categories", "tax_code", "x" * 65),
    ],
)
async def test_bad_input_is_named(api: Api, path: str, member: str, value: Any) -> None:
    book = await Book.of(api.user())
    keys = await book.by_key()
    body: dict[str, Any] = {"name": "good"}
    if path == "categories":
        body["parent_id"] = keys["expense"]["label_id"]
    answer = await book.client.post(f"/{path}", body | {member: value})
    assert pointers(problem(answer, "validation_failed")) == [f"/{member}"]
    label = label_of(await book.client.post(f"/{path}", body), 201)
    answer = await book.client.patch(f"/{path}/{label['label_id']}", {member: value})
    assert pointers(problem(answer, "validation_failed")) == [f"/{member}"]


async def test_a_category_has_a_tax_code(api: Api) -> None:
    book = await Book.of(api.user())
    expense = (await book.by_key())["expense"]["label_id"]
    assert (await book.add("categories", "Office", expense, tax_code="4930"))["tax_code"] == "4930"


async def test_moves_at_once_make_no_circle(api: Api) -> None:
    book = await Book.of(api.user())
    ids = [(await book.add("tags", f"{number}"))["label_id"] for number in range(5)]
    moves = [(one, other) for one in ids for other in ids if one != other]
    answers = await asyncio.gather(
        *(book.client.patch(f"/tags/{one}", {"parent_id": other}) for one, other in moves)
    )
    assert {answer.status_code for answer in answers} <= {200, 409, 503}
    parents = {each["label_id"]: each["parent_id"] for each in await book.all("tags")}
    for label_id in ids:
        steps = 0
        at: str | None = label_id
        while at is not None:
            at, steps = parents[at], steps + 1
            assert steps <= 6
