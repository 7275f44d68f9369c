"""Rules over HTTP, on both drivers."""

import asyncio
from typing import Any

import httpx
import pytest
from support.api import Api, Client, conforms, pointers, problem

from wallet_service.finance.rules.schemas import Rule, RuleOrder, RulePage, RuleTestResult
from wallet_service.platform.jobs.lifespan import running_worker
from wallet_service.platform.jobs.schemas import Job

FOOD = [{"field": "description", "op": "contains", "value": "lidl"}]


def rule_of(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found = conforms(answer.content, Rule)
    assert answer.headers["ETag"] == f'"{found["version"]}"'
    return found


class Book:
    """A user with a book, a wallet and its labels."""

    def __init__(
        self, api: Api, book_id: str, client: Client, wallet_id: str, categories: dict[str, str]
    ) -> None:
        self.api = api
        self.book_id = book_id
        self.client = client
        self.wallet_id = wallet_id
        self.categories = categories

    @classmethod
    async def of(cls, api: Api) -> "Book":
        client = api.user()
        answer = await client.post("/books", {"base_currency": "EUR"})
        assert answer.status_code == 201, answer.text
        wallet = await client.wallet(currency="EUR", keeping="mirrored")
        labels = (await client.get("/categories", limit=100)).json()["items"]
        return cls(
            api,
            answer.json()["book_id"],
            client,
            wallet["wallet_id"],
            {each["system_key"]: each["label_id"] for each in labels},
        )

    async def spend(self, amount: str, description: str) -> int:
        answer = await self.client.move("withdraw", self.wallet_id, amount, description=description)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["wallet_version"])

    async def rule(
        self, conditions: list[dict[str, Any]], actions: dict[str, Any], **members: Any
    ) -> dict[str, Any]:
        body = {"name": "A rule", "conditions": conditions, "actions": actions} | members
        return rule_of(await self.client.post("/rules", body), 201)

    async def parts(self, version: int) -> list[dict[str, Any]]:
        assert (await self.client.get("/parts")).status_code == 200  # catches up
        await self.api.app.state.automatic_rules.follow(self.book_id)  # the background may have begun it
        answer = await self.client.get(f"/wallets/{self.wallet_id}/entries/{version}/parts")
        assert answer.status_code == 200, answer.text
        return answer.json()["parts"]

    async def all(self, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            answer = await self.client.get("/rules", limit=2, **query)
            assert answer.status_code == 200, answer.text
            page = conforms(answer.content, RulePage)
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            query["cursor"] = page["next_cursor"]

    async def apply(self, api: Api, **members: Any) -> dict[str, Any]:
        """The result of a job that applies rules."""
        answer = await self.client.post("/rules/apply", members)
        assert answer.status_code == 202, answer.text
        job = conforms(answer.content, Job)
        return await run_job(api, self.client, job["job_id"])


async def run_job(api: Api, client: Client, job_id: str) -> dict[str, Any]:
    """The result of a job, which a worker runs."""
    async with running_worker(api.app.state, api.app.state.settings):
        # Only the API says when a job has ended.
        while (found := (await client.get(f"/jobs/{job_id}")).json())["status"] in ("queued", "running"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert found["status"] == "succeeded", found
    return found["result"]


async def test_rules_are_created_replaced_ordered_and_deleted(api: Api) -> None:
    book = await Book.of(api)
    body = {
        "name": "Food",
        "conditions": FOOD,
        "actions": {"category_id": book.categories["food"], "note": None},
    }
    answer = await book.client.post("/rules", body, key="one")
    rule = rule_of(answer, 201)
    assert answer.headers["Location"] == f"/api/v1/rules/{rule['rule_id']}"
    assert rule | body | {"match": "all", "stop": False, "active": True} == rule
    assert (await book.client.post("/rules", body, key="one")).content == answer.content
    one = f"/rules/{rule['rule_id']}"
    assert rule_of(await book.client.get(one)) == rule
    others = [await book.rule(FOOD, {}, stop=True, active=False) for _ in range(2)]
    ids = [each["rule_id"] for each in (rule, *others)]
    assert [each["rule_id"] for each in await book.all()] == ids
    assert [each["rule_id"] for each in await book.all(active="false")] == ids[1:]

    replaced = rule_of(
        await book.client.send("PUT", one, body | {"match": "any"}, headers={"If-Match": '"1"'})
    )
    assert (replaced["match"], replaced["version"]) == ("any", 2)
    assert rule_of(await book.client.send("PUT", one, body | {"match": "any"})) == replaced, "nothing changed"
    problem(await book.client.send("PUT", one, body, headers={"If-Match": '"1"'}), "version_mismatch")

    answer = await book.client.post("/rules/order", {"rule_ids": ids[::-1]})
    assert conforms(answer.content, RuleOrder)["rule_ids"] == ids[::-1]
    assert [each["rule_id"] for each in await book.all()] == ids[::-1]
    refused = problem(await book.client.post("/rules/order", {"rule_ids": ids[:2]}), "rules_changed")
    assert refused["rules"] == 3

    problem(await book.client.delete(one, if_match='"1"'), "version_mismatch")
    assert (await book.client.delete(one, if_match='"2"')).status_code == 204
    problem(await book.client.get(one), "rule_not_found")


async def test_new_entries_get_what_rules_say(api: Api) -> None:
    book = await Book.of(api)
    before = await book.spend("10.00", "Lidl before")
    [part] = await book.parts(before)
    assert part["category_id"] == book.categories["uncategorised_expense"]
    first = await book.rule(FOOD, {"category_id": book.categories["food"], "note": "by rule"})
    split = {
        "split": [
            {"percent": "80", "category_id": book.categories["groceries"]},
            {"remainder": True, "category_id": book.categories["household"]},
        ]
    }
    under = [{"field": "category_id", "op": "under", "value": book.categories["expense"]}]
    last = await book.rule([*under, {"field": "amount", "op": "gte", "value": "50"}], split)
    small, large = await book.spend("20.00", "LIDL small"), await book.spend("60.01", "lidl large")
    [part] = await book.parts(small)
    assert (part["category_id"], part["note"], part["rule_id"], part["edited"]) == (
        book.categories["food"],
        "by rule",
        first["rule_id"],
        False,
    )
    parts = await book.parts(large)
    assert [each["amount"] for each in parts] == ["-48.01", "-12.00"]
    assert {each["rule_id"] for each in parts} == {last["rule_id"]}
    assert [each["category_id"] for each in parts] == [
        book.categories["groceries"],
        book.categories["household"],
    ]
    [part] = await book.parts(before)
    assert part["rule_id"] is None, "what was before the first rule is not changed by itself"


async def test_a_job_applies_rules_and_its_run_is_taken_back(api: Api) -> None:
    book = await Book.of(api)
    plain, edited = await book.spend("10.00", "Lidl"), await book.spend("11.00", "Lidl")
    path = f"/wallets/{book.wallet_id}/entries/{edited}/parts"
    given = [{"amount": "-11.00", "category_id": book.categories["travel"]}]
    await book.parts(edited)
    assert (await book.client.send("PUT", path, {"parts": given})).status_code == 200
    await book.rule(FOOD, {"category_id": book.categories["food"]})
    dry = await book.apply(api)
    assert (dry["examined"], dry["held"], dry["changed"], dry["run_id"]) == (2, 2, 1, None)
    [shown] = dry["entries"]
    assert shown["after"][0]["category_id"] == book.categories["food"]
    assert (await book.parts(plain))[0]["rule_id"] is None, "nothing is written"

    done = await book.apply(api, dry_run=False)
    assert done["changed"] == 1
    assert (await book.parts(plain))[0]["category_id"] == book.categories["food"]
    assert (await book.parts(edited))[0]["category_id"] == book.categories["travel"]
    assert (await book.apply(api, dry_run=False))["changed"] == 0
    assert (await book.client.post(f"/runs/{done['run_id']}/undo")).status_code == 200
    assert (await book.parts(plain))[0]["category_id"] == book.categories["uncategorised_expense"]

    assert (await book.apply(api, dry_run=False, overwrite=True))["changed"] == 2
    assert (await book.parts(edited))[0]["category_id"] == book.categories["food"]
    far = await book.apply(api, **{"from": "2999-01-01"})
    assert far["examined"] == 0


async def test_a_rule_is_tried(api: Api) -> None:
    book = await Book.of(api)
    versions = [await book.spend("10.00", text) for text in ("Lidl", "Aldi", "LIDL")]
    rule = {"name": "x", "conditions": FOOD, "actions": {"category_id": book.categories["food"]}}
    answer = await book.client.post("/rules/test", {"rule": rule})
    assert answer.status_code == 200, answer.text
    found = conforms(answer.content, RuleTestResult)
    assert (found["examined"], found["held"], found["changed"], found["pending_entries"]) == (3, 2, 2, 0)
    assert [each["wallet_version"] for each in found["items"]] == [versions[2], versions[0]]
    assert found["items"][0]["before"][0]["amount"] == "-10.00"
    assert found["items"][0]["after"][0]["category_id"] == book.categories["food"]
    assert (await book.parts(versions[0]))[0]["category_id"] == book.categories["uncategorised_expense"]


async def test_labels_that_were_merged_stand_for_each_other(api: Api) -> None:
    book = await Book.of(api)
    one, other = [
        (await book.client.post("/tags", {"name": name})).json()["label_id"] for name in ("one", "other")
    ]
    await book.rule(FOOD, {"add_tag_ids": [one]})
    await book.rule([{"field": "tag_ids", "op": "has", "value": other}], {"note": "seen"})
    refused = problem(await book.client.delete(f"/tags/{one}"), "label_in_use")
    assert refused["uses"]["rules"] == 1
    assert (await book.client.post(f"/tags/{one}/merge", {"into": other})).status_code == 200
    [part] = await book.parts(await book.spend("5.00", "Lidl"))
    assert (part["tag_ids"], part["note"]) == ([other], "seen")


async def test_others_rules_labels_and_wallets_are_not_found(api: Api) -> None:
    book, other = await Book.of(api), await Book.of(api)
    rule = await book.rule(FOOD, {"note": "x"})
    one = f"/rules/{rule['rule_id']}"
    body = {"name": "x", "conditions": FOOD, "actions": {"note": "x"}}
    problem(await other.client.get(one), "rule_not_found")
    problem(await other.client.send("PUT", one, body), "rule_not_found")
    problem(await other.client.delete(one), "rule_not_found")
    problem(await other.client.post("/rules/apply", {"rule_ids": [rule["rule_id"]]}), "rule_not_found")
    problem(await other.client.post("/rules/apply", {"wallet_id": book.wallet_id}), "wallet_not_found")
    foreign = body | {"actions": {"category_id": book.categories["food"]}}
    for path, sent in (("/rules", foreign), ("/rules/test", {"rule": foreign})):
        problem(await other.client.post(path, sent), "label_not_found")
    strange = body | {"conditions": [{"field": "wallet_id", "op": "is", "value": book.wallet_id}]}
    for path, sent in (("/rules", strange), ("/rules/test", {"rule": strange})):
        problem(await other.client.post(path, sent), "wallet_not_found")


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"conditions": []}, "/conditions"),
        ({"conditions": FOOD * 21}, "/conditions"),
        ({"conditions": [{"field": "color", "op": "is", "value": "x"}]}, "/conditions/0/field"),
        ({"conditions": [*FOOD, {"field": "amount", "op": "has", "value": "1"}]}, "/conditions/1/op"),
        ({"conditions": [{"field": "note", "op": "matches", "value": "("}]}, "/conditions/0/value"),
        ({"conditions": [{"field": "category_id", "op": "is", "value": "food"}]}, "/conditions/0/value"),
        ({"conditions": [{"field": "booked_on", "op": "gt", "value": "0000-01-01"}]}, "/conditions/0/value"),
        ({"actions": {"category_id": None}}, "/actions/category_id"),
        ({"actions": {"color": "red"}}, "/actions/color"),
        ({"actions": {"split": [{"percent": "100"}]}}, "/actions/split"),
        ({"actions": {"split": [{"percent": "60"}, {"percent": "30"}]}}, "/actions/split"),
        (
            {"actions": {"split": [{"percent": "60"}, {"percent": "60"}, {"remainder": True}]}},
            "/actions/split",
        ),
        ({"actions": {"split": [{"remainder": True}, {"remainder": True}]}}, "/actions/split"),
        ({"actions": {"split": [{"amount": "5"}, {"percent": "50"}]}}, "/actions/split"),
        ({"actions": {"split": [{}, {"remainder": True}]}}, "/actions/split/0"),
        ({"actions": {"split": [{"percent": "0"}, {"remainder": True}]}}, "/actions/split/0/percent"),
        ({"match": "none"}, "/match"),
        ({"actions": {}}, ""),
    ],
)
async def test_bad_rules_are_refused_by_member(api: Api, members: dict[str, Any], pointer: str) -> None:
    client = api.user()
    body = {"name": "x", "conditions": FOOD, "actions": {"note": "x"}} | members
    refused = problem(await client.post("/rules", body), "validation_failed")
    assert pointer in pointers(refused)
