"""What entries were for, over HTTP, on both drivers."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest
from support.api import Api, Client, conforms, pointers, posted, problem

from wallet_service.core.identifiers import new_id
from wallet_service.finance.parts.bulk_schemas import BulkAnswer, Undone
from wallet_service.finance.parts.pair_schemas import Pair, PairPage
from wallet_service.finance.parts.schemas import ChangedParts, EntryParts, PartPage
from wallet_service.platform.auth.restrictions import Restriction

SPLIT = (("-60.00", "groceries"), ("-24.37", "household"))


class Book:
    """A user with a book and mirrored wallets."""

    def __init__(self, client: Client, book_id: str, categories: Mapping[str, str]) -> None:
        self.client = client
        self.book_id = book_id
        self.categories = categories
        self.keys = {label_id: key for key, label_id in categories.items()}

    @classmethod
    async def of(cls, client: Client, **members: Any) -> "Book":
        answer = await client.post("/books", {"base_currency": "EUR", "time_zone": "Europe/Berlin"} | members)
        assert answer.status_code == 201, answer.text
        found: dict[str, str] = {}
        page: dict[str, Any] = {"next_cursor": None}
        while True:
            cursor = {} if page["next_cursor"] is None else {"cursor": page["next_cursor"]}
            page = (await client.get("/categories", limit=100, **cursor)).json()
            found |= {each["system_key"]: each["label_id"] for each in page["items"]}
            if page["next_cursor"] is None:
                return cls(client, answer.json()["book_id"], found)

    async def wallet(self, currency: str = "EUR", *, keeping: str = "mirrored") -> str:
        body = {"currency": currency, "keeping": keeping, "name": f"w-{new_id()}"}
        return (await self.client.wallet(**body))["wallet_id"]

    def parts(self, *given: tuple[str, str], **members: Any) -> list[dict[str, Any]]:
        return [{"amount": amount, "category_id": self.categories[key]} | members for amount, key in given]

    async def entry(self, moved: Mapping[str, Any]) -> dict[str, Any]:
        return entry_of(await self.client.get(path_of(moved)))

    async def listed(self, **filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            answer = await self.client.get("/parts", limit=2, **filters)
            assert answer.status_code == 200, answer.text
            page = conforms(answer.content, PartPage)
            assert page["pending_entries"] == 0
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            filters["cursor"] = page["next_cursor"]

    def said(self, parts: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
        return [(each["amount"], self.keys[each["category_id"]]) for each in parts]


def path_of(moved: Mapping[str, Any]) -> str:
    return f"/wallets/{moved['wallet_id']}/entries/{moved['wallet_version']}/parts"


def entry_of(answer: httpx.Response, model: type[EntryParts] = EntryParts) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found = conforms(answer.content, model)
    assert answer.headers["ETag"] == f'"{found["etag"]}"'
    return found


async def put(client: Client, path: str, body: Any, etag: str | None = None) -> httpx.Response:
    headers = None if etag is None else {"If-Match": f'"{etag}"'}
    return await client.send("PUT", path, body, headers=headers)


async def test_an_entry_gets_a_part_is_split_and_taken_back(api: Api) -> None:
    book = await Book.of(api.user())
    wallet = await book.wallet()
    posted(await book.client.move("deposit", wallet, "500"))
    moved = posted(await book.client.move("withdraw", wallet, "84.37", effective_at="2026-01-02T23:30:00Z"))
    entry = await book.entry(moved)
    assert book.said(entry["parts"]) == [("-84.37", "uncategorised_expense")]
    assert (entry["booked_on"], entry["parts"][0]["edited"]) == ("2026-01-03", False)

    path = path_of(moved)
    answer = await put(book.client, path, {"parts": book.parts(*SPLIT)}, entry["etag"])
    split = entry_of(answer, ChangedParts)
    assert book.said(split["parts"]) == [*SPLIT]
    assert all(each["edited"] for each in split["parts"])
    again = entry_of(await put(book.client, path, {"parts": book.parts(*SPLIT)}), ChangedParts)
    assert again == split | {"run_id": None}, "nothing changed"
    stale = await put(book.client, path, {"parts": book.parts(("-84.37", "food"))}, entry["etag"])
    assert problem(stale, "version_mismatch")["etag"] == split["etag"]
    off = problem(await put(book.client, path, {"parts": book.parts(("-84.36", "food"))}), "parts_unbalanced")
    assert (off["amount"], off["sum"]) == ("-84.37", "-84.36")

    day = {"booked_on": "2025-12-31", "parts": [{"category_id": book.categories["food"], "note": "bread"}]}
    later = entry_of(await put(book.client, path, day), ChangedParts)
    assert (later["booked_on"], book.said(later["parts"])) == ("2025-12-31", [("-84.37", "food")])
    undone = await book.client.post(f"/runs/{later['run_id']}/undo")
    assert undone.status_code == 200, undone.text
    assert conforms(undone.content, Undone)["restored"] == 1
    assert await book.entry(moved) == {name: split[name] for name in EntryParts.model_fields}
    undone = (await book.client.post(f"/runs/{undone.json()['undo_run_id']}/undo")).json()
    assert (undone["restored"], undone["kept"]) == (1, [])
    kept = (await book.client.post(f"/runs/{split['run_id']}/undo")).json()
    assert (kept["restored"], [each["wallet_version"] for each in kept["kept"]]) == (0, [2])
    assert (await book.client.post(f"/runs/{split['run_id']}/undo")).json() == kept


async def test_parts_that_come_with_the_movement(api: Api) -> None:
    book = await Book.of(api.user())
    wallet, other = await book.wallet(), await book.wallet()
    payee = (await book.client.post("/payees", {"name": "Market"})).json()["label_id"]
    tag = (await book.client.post("/tags", {"name": "weekly"})).json()["label_id"]
    salary = [{"category_id": book.categories["salary"], "payee_id": payee, "tag_ids": [tag], "note": "May"}]
    moved = [
        posted(await book.client.move("deposit", wallet, "500.5", parts=salary)),
        posted(await book.client.move("withdraw", wallet, "84.37", parts=book.parts(*SPLIT))),
        posted(
            await book.client.move(
                "transfer", wallet, "10", to_wallet_id=other, parts=book.parts(("-10", "gifts_and_donations"))
            )
        ),
    ]
    batch = {"type": "withdraw", "wallet_id": wallet, "amount": "1", "parts": book.parts(("-1", "food"))}
    wrong = batch | {"parts": book.parts(("1", "food"))}
    results = (await book.client.batch(batch, wrong)).json()["results"]
    assert results[1]["problem"]["code"] == "parts_unbalanced"
    moved.append(results[0]["transaction"])
    said = [book.said((await book.entry(each))["parts"]) for each in moved]
    assert said == [
        [("500.50", "salary")],
        [*SPLIT],
        [("-10.00", "gifts_and_donations")],
        [("-1.00", "food")],
    ]
    first = (await book.entry(moved[0]))["parts"][0]
    assert (first["payee_id"], first["tag_ids"], first["note"]) == (payee, [tag], "May")
    credit = {"wallet_id": other, "wallet_version": 1}
    assert book.said((await book.entry(credit))["parts"]) == [("10.00", "own_transfers")]


async def test_parts_of_a_movement_that_are_refused(api: Api) -> None:
    book = await Book.of(api.user())
    wallet = await book.wallet()

    async def refused(code: str, parts: Any, **members: Any) -> dict[str, Any]:
        return problem(await book.client.move("deposit", wallet, "10", parts=parts, **members), code)

    await refused("parts_unbalanced", book.parts(("9.99", "salary")))
    await refused("parts_unbalanced", book.parts(("-10", "salary")))
    await refused("amount_precision", book.parts(("9.999", "salary"), ("0.001", "salary")))
    payee = (await book.client.post("/payees", {"name": "Market"})).json()["label_id"]
    other = await Book.of(api.user())
    for label in (payee, new_id(), other.categories["salary"]):
        assert (await refused("label_not_found", [{"category_id": label}]))["label_id"] == label
    for parts, place in (
        ([], "/parts"),
        ([{}, {"amount": "1"}], "/parts"),
        ([{"amount": "0"}], "/parts/0/amount"),
        ([{"payment_method_id": new_id()}], "/parts/0/payment_method_id"),
        ([{"tag_ids": [payee, payee]}], "/parts/0/tag_ids"),
    ):
        answer = await book.client.move("deposit", wallet, "10", parts=parts)
        assert (answer.status_code, pointers(answer.json())) == (422, [place])
    stranger = api.user()
    mine = (await stranger.wallet(keeping="mirrored"))["wallet_id"]
    problem(await stranger.move("deposit", mine, "10", parts=[{"note": "x"}]), "book_not_found")
    assert (await book.client.read(wallet))["balance"] == "0.00"
    key = {"idempotency_key": "once"}
    posted(await book.client.move("deposit", wallet, "10", parts=[{"note": "x"}], **key))
    await refused("idempotency_key_reused", [{"note": "y"}], **key)
    assert problem(await book.client.move("deposit", wallet, "10", **key), "idempotency_key_reused")


async def test_the_list_and_its_filters(api: Api) -> None:
    book = await Book.of(api.user())
    wallet, other = await book.wallet(), await book.wallet()
    payee = (await book.client.post("/payees", {"name": "Market"})).json()["label_id"]
    tag = (await book.client.post("/tags", {"name": "weekly"})).json()["label_id"]
    food = [
        {
            "category_id": book.categories["groceries"],
            "payee_id": payee,
            "tag_ids": [tag],
            "note": "rye bread",
        }
    ]
    posted(await book.client.move("deposit", wallet, "300", effective_at="2026-01-01T12:00:00Z"))
    moved = posted(
        await book.client.move("withdraw", wallet, "40", effective_at="2026-01-02T12:00:00Z", parts=food)
    )
    posted(
        await book.client.move(
            "withdraw", wallet, "7", effective_at="2026-01-03T12:00:00Z", description="tram"
        )
    )
    posted(
        await book.client.move(
            "transfer", wallet, "50", to_wallet_id=other, effective_at="2026-01-04T12:00:00Z"
        )
    )
    amounts = [each["amount"] for each in await book.listed()]
    assert sorted(amounts[:2]) == ["-50.00", "50.00"], "newest day first"
    assert amounts[2:] == ["-7.00", "-40.00", "300.00"]

    async def found(**filters: Any) -> list[str]:
        return sorted(each["amount"] for each in await book.listed(**filters))

    assert await found(category_id=book.categories["food"]) == ["-40.00"], "with what is under it"
    assert (
        await found(payee_id=payee) == await found(tag_id=tag) == await found(text="Bread rye") == ["-40.00"]
    )
    assert await found(text="tram") == ["-7.00"]
    assert await found(wallet_id=other) == ["50.00"]
    assert await found(type="transfer") == ["-50.00", "50.00"]
    assert await found(type="income") == ["300.00"]
    assert await found(type="expense", uncategorized="true") == ["-7.00"]
    assert await found(amount_from="40", amount_to="50") == ["-40.00", "-50.00", "50.00"]
    assert await found(**{"from": "2026-01-02", "to": "2026-01-04"}) == ["-40.00", "-7.00"]
    posted(await book.client.post(f"/transactions/{moved['transaction_id']}/refund", {"amount": "4"}))
    assert await found(category_id=book.categories["groceries"]) == ["-40.00", "4.00"]
    problem(await book.client.get("/parts", category_id=payee), "label_not_found")
    assert pointers(
        problem(await book.client.get("/parts", **{"from": "2026-02-30"}), "validation_failed")
    ) == ["/from"]


async def test_bulk_changes_each_stand_alone(api: Api) -> None:
    book = await Book.of(api.user())
    wallet = await book.wallet()
    moved = [posted(await book.client.move("deposit", wallet, amount)) for amount in ("1", "2", "3")]
    gifts = {"category_id": book.categories["gifts_received"]}
    named = [{"wallet_id": wallet, "wallet_version": each["wallet_version"]} for each in moved]
    changes = [
        named[0] | {"changes": gifts},
        named[1] | {"parts": [{"amount": "1", **gifts}]},
        named[2] | {"parts": book.parts(("1", "salary"), ("2", "gifts_received")), "booked_on": "2026-05-01"},
        {"wallet_id": new_id(), "wallet_version": 1, "changes": gifts},
    ]
    answer = await book.client.post("/parts/bulk", {"changes": changes})
    assert answer.status_code == 200, answer.text
    done = conforms(answer.content, BulkAnswer)
    assert [each["status"] for each in done["results"]] == ["changed", "refused", "changed", "refused"]
    codes = [each["problem"]["code"] for each in done["results"] if each["status"] == "refused"]
    assert codes == ["parts_unbalanced", "entry_not_found"]
    assert book.said(done["results"][2]["entry"]["parts"]) == [("1.00", "salary"), ("2.00", "gifts_received")]
    again = (await book.client.post("/parts/bulk", {"changes": changes[:1]})).json()
    assert (again["run_id"], again["results"][0]["status"]) == (None, "unchanged")
    twice = await book.client.post("/parts/bulk", {"changes": [changes[0], changes[0]]})
    problem(twice, "validation_failed")
    undone = (await book.client.post(f"/runs/{done['run_id']}/undo")).json()
    assert (undone["restored"], undone["kept"]) == (2, [])
    assert {key for _, key in book.said(await book.listed())} == {"uncategorised_income"}


async def test_pairs_are_found_made_and_dissolved(api: Api) -> None:
    book = await Book.of(api.user())
    wallet, other = await book.wallet(), await book.wallet()
    posted(await book.client.move("withdraw", wallet, "500", effective_at="2026-01-02T12:00:00Z"))
    posted(await book.client.move("deposit", other, "500", effective_at="2026-01-05T12:00:00Z"))

    async def pairs(state: str) -> list[dict[str, Any]]:
        answer = await book.client.get("/pairs", state=state)
        assert answer.status_code == 200, answer.text
        return conforms(answer.content, PairPage)["items"]

    (pair,) = await pairs("paired")
    assert (pair["is_automatic"], pair["debit"]["amount"], pair["credit"]["booked_on"]) == (
        True,
        "-500.00",
        "2026-01-05",
    )
    assert {key for _, key in book.said(await book.listed())} == {"own_transfers"}
    assert (await book.client.delete(f"/pairs/{pair['pair_id']}")).status_code == 204
    problem(await book.client.delete(f"/pairs/{pair['pair_id']}"), "pair_not_found")
    assert {key for _, key in book.said(await book.listed())} == {
        "uncategorised_income",
        "uncategorised_expense",
    }
    assert await pairs("paired") == await pairs("suggested") == []

    sides = {
        side: {name: pair[side][name] for name in ("wallet_id", "wallet_version")}
        for side in ("debit", "credit")
    }
    made = await book.client.post("/pairs", sides)
    assert made.status_code == 201, made.text
    again = conforms((await book.client.post("/pairs", sides)).content, Pair)
    assert again == made.json()
    assert made.headers["Location"] == f"/api/v1/pairs/{again['pair_id']}"
    assert (again["state"], again["is_automatic"]) == ("paired", False)
    turned = {"debit": sides["credit"], "credit": sides["debit"]}
    problem(await book.client.post("/pairs", turned), "validation_failed")
    third = posted(await book.client.move("deposit", other, "1"))
    named = {"wallet_id": other, "wallet_version": third["wallet_version"]}
    problem(await book.client.post("/pairs", sides | {"credit": named}), "pair_exists")
    problem(
        await book.client.post("/pairs", sides | {"credit": named | {"wallet_version": 9}}), "entry_not_found"
    )


async def test_quick_transactions_find_their_wallet(api: Api) -> None:
    book = await Book.of(api.user())
    user = book.client
    problem(await user.post("/quick-transactions", {"type": "income", "amount": "1"}), "wallet_not_found")
    operating = await book.wallet(keeping="operating")
    body = {"type": "income", "amount": "10", "category_id": book.categories["salary"]}
    assert problem(await user.post("/quick-transactions", body), "forbidden")["wallet_id"] == operating
    service = await api.service("parts:write", "deposits:write", "withdrawals:write")
    named = body | {"user_id": user.user_id}
    first = posted(await service.post("/quick-transactions", named, key="first"))
    assert (first["wallet_id"], first["transaction_type"]) == (operating, "deposit")

    mirrored = await book.wallet()
    dollars = await book.wallet("USD")
    again = await service.post("/quick-transactions", named, key="first")
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first, "true")
    tea = {"type": "expense", "amount": "2.5", "category_id": book.categories["food"], "note": "tea"}
    second = posted(await user.post("/quick-transactions", tea | {"description": "kiosk"}))
    assert (second["wallet_id"], second["transaction_type"], second["description"]) == (
        mirrored,
        "withdraw",
        "kiosk",
    )
    part = (await book.entry(second))["parts"][0]
    assert (book.said([part]), part["note"]) == ([("-2.50", "food")], "tea")
    third = posted(await user.post("/quick-transactions", body | {"currency": "USD"}))
    assert third["wallet_id"] == dollars
    fourth = posted(await user.post("/quick-transactions", body | {"wallet_id": dollars}))
    assert fourth["wallet_id"] == dollars
    problem(await user.post("/quick-transactions", body | {"wallet_id": operating}), "forbidden")
    both = body | {"wallet_id": dollars, "currency": "USD"}
    problem(await user.post("/quick-transactions", both), "validation_failed")
    problem(await api.user().post("/quick-transactions", body | {"wallet_id": dollars}), "wallet_not_found")
    reader = await api.service("parts:read", "deposits:write")
    assert problem(await reader.post("/quick-transactions", named), "forbidden")["scope"] == "parts:write"
    keyless = await api.service("parts:write")
    assert problem(await keyless.post("/quick-transactions", named), "forbidden")["scope"] == "deposits:write"


async def test_what_is_in_other_books_is_not_found(api: Api) -> None:
    book, other = await Book.of(api.user()), await Book.of(api.user())
    wallet = await book.wallet()
    moved = posted(await book.client.move("deposit", wallet, "10"))
    body = {"parts": book.parts(("10", "salary"))}
    changed = entry_of(await put(book.client, path_of(moved), body), ChangedParts)
    stranger = api.user()
    restricted = await api.service("parts:write", restriction=Restriction(wallet_ids=(wallet,)))
    for client in (other.client, stranger, restricted):
        problem(await client.get(path_of(moved)), "wallet_not_found")
        problem(await put(client, path_of(moved), body), "wallet_not_found")
        problem(await client.post(f"/runs/{changed['run_id']}/undo"), "run_not_found")
    problem(await other.client.get("/parts", user_id=book.client.user_id), "book_not_found")
    problem(await other.client.delete(f"/pairs/{new_id()}"), "pair_not_found")
    service = await api.service("parts:write")
    assert (await service.get(path_of(moved))).json()["etag"] == changed["etag"]
    problem(await service.get("/parts"), "validation_failed")
    problem(await service.get(f"/wallets/{wallet}/entries/7/parts"), "entry_not_found")
    mine = (await stranger.wallet(keeping="mirrored"))["wallet_id"]
    problem(await stranger.get(f"/wallets/{mine}/entries/1/parts"), "book_not_found")
    bulk = {"changes": [{"wallet_id": wallet, "wallet_version": 1, "changes": {"note": "x"}}]}
    answer = (await other.client.post("/parts/bulk", bulk)).json()
    assert answer["results"][0]["problem"]["code"] == "entry_not_found"


async def test_postings_are_catalogued_without_a_read(api: Api) -> None:
    book = await Book.of(api.user())
    wallet = await book.wallet()
    posted(await book.client.move("deposit", wallet, "10"))
    read = api.app.state.database.read
    for _ in range(600):
        if b'"pending" : 0' in await read("read_pending_entries", book_id=book.book_id):
            break
        await asyncio.sleep(0.05)
    assert b'"pending" : 0' in await read("read_pending_entries", book_id=book.book_id)


async def test_a_book_with_a_new_zone_is_redated(api: Api) -> None:
    book = await Book.of(api.user())
    wallet = await book.wallet()
    moved = posted(await book.client.move("deposit", wallet, "10", effective_at="2026-01-01T03:30:00Z"))
    assert (await book.entry(moved))["booked_on"] == "2026-01-01"
    path = f"/books/{book.book_id}"
    plain = (await book.client.patch(path, {"time_zone": "America/New_York"})).json()
    assert plain["redate_job_id"] is None
    assert (await book.entry(moved))["booked_on"] == "2026-01-01"
    job_id = (await book.client.patch(path, {"redate": True})).json()["redate_job_id"]
    job = (await book.client.get(f"/jobs/{job_id}")).json()
    assert (job["type"], job["status"]) == ("redate_parts", "queued")
    await api.app.state.cataloguing.redate(book.book_id, job_id, lambda _: None)
    assert (await book.entry(moved))["booked_on"] == "2025-12-31"
    undone = (await book.client.post(f"/runs/{job_id}/undo")).json()
    assert (undone["restored"], (await book.entry(moved))["booked_on"]) == (1, "2026-01-01")


@pytest.mark.parametrize("fails", [False, True])
async def test_followers_are_called_after_cataloguing(api: Api, *, fails: bool) -> None:
    book = await Book.of(api.user())
    wallet = await book.wallet()
    called: list[str] = []

    async def follower(book_id: str) -> None:
        called.append(book_id)
        if fails:
            raise RuntimeError("a room failed")

    api.app.state.cataloguing.followers.append(follower)
    try:
        posted(await book.client.move("deposit", wallet, "10"))
        await book.listed()
        await asyncio.wait_for(_until(lambda: book.book_id in called), 30)
    finally:
        api.app.state.cataloguing.followers.remove(follower)


async def _until(holds: Any) -> None:
    while not holds():  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.02)
