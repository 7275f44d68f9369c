"""Budgets over HTTP, on both drivers."""

from typing import Any

import pytest
from support.api import Api, Client, conforms, new_user, pointers, problem

from wallet_service.core.identifiers import new_id
from wallet_service.finance.budgets.figure_schemas import BudgetDetails, BudgetProgressList
from wallet_service.finance.budgets.schemas import BudgetPage
from wallet_service.platform.auth.restrictions import Restriction

from .home import budget_of

BODY: dict[str, Any] = {"name": "Food", "amount": "100", "period": "monthly", "start_date": "2024-01-01"}


async def owner(api: Api) -> Client:
    client = api.user()
    assert (await client.post("/books", {"base_currency": "EUR"})).status_code == 201
    return client


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_budget_is_created_set_read_and_deleted(api: Api, slash: str) -> None:
    user = await owner(api)
    answer = await user.post(f"/budgets{slash}", BODY, key="food")
    budget = budget_of(answer, 201)
    assert answer.headers["Location"] == f"/api/v1/budgets/{budget['budget_id']}"
    assert (budget["amount"], budget["currency"], budget["tiers"]) == ("100.00", "EUR", [75, 90, 100])
    assert (budget["carry"], budget["wallet_ids"], budget["items"]) == ("none", [], [])
    again = await user.post(f"/budgets{slash}", BODY, key="food")
    assert (again.content, again.headers["Idempotency-Replayed"]) == (answer.content, "true")
    one = f"/budgets/{budget['budget_id']}"
    assert budget_of(await user.get(f"{one}{slash}")) == budget

    put = {"If-Match": '"1"'}
    changed = budget_of(await user.send("PUT", f"{one}{slash}", BODY | {"amount": "120"}, headers=put))
    assert (changed["amount"], changed["version"]) == ("120.00", 2)
    same = budget_of(await user.send("PUT", f"{one}{slash}", BODY | {"amount": "120"}))
    assert same == changed, "nothing changed"
    problem(await user.send("PUT", f"{one}{slash}", BODY, headers=put), "version_mismatch")

    listed = conforms((await user.get(f"/budgets{slash}")).content, BudgetPage)
    assert listed == {"items": [changed], "next_cursor": None}
    other = budget_of(await user.post(f"/budgets{slash}", BODY), 201)
    page = (await user.get(f"/budgets{slash}", limit=1)).json()
    assert [each["budget_id"] for each in page["items"]] == [budget["budget_id"]]
    rest = (await user.get(f"/budgets{slash}", limit=1, cursor=page["next_cursor"])).json()
    assert ([each["budget_id"] for each in rest["items"]], rest["next_cursor"]) == (
        [other["budget_id"]],
        None,
    )

    answer = await user.get(f"/budgets/progress{slash}")
    BudgetProgressList.model_validate_json(answer.content)
    assert [each["left"] for each in answer.json()["items"]] == ["120.00", "100.00"]
    answer = await user.get(f"{one}/details{slash}", on="2024-02-29")
    BudgetDetails.model_validate_json(answer.content)
    assert (answer.json()["from"], answer.json()["day"], answer.json()["days"]) == ("2024-02-01", 29, 29)

    problem(await user.delete(f"{one}{slash}", if_match='"1"'), "version_mismatch")
    assert (await user.delete(f"{one}{slash}", if_match='"2"')).status_code == 204
    for gone in (await user.get(one), await user.delete(one), await user.get(f"{one}/details")):
        problem(gone, "budget_not_found")


async def test_others_budgets_are_not_found(api: Api) -> None:
    user = await owner(api)
    budget = budget_of(await user.post("/budgets", BODY), 201)
    one = f"/budgets/{budget['budget_id']}"
    restricted = await api.service("budgets:write", restriction=Restriction(user_id=new_user()))
    for other in (await owner(api), restricted, api.user()):
        problem(await other.get(one), "budget_not_found")
        problem(await other.get(f"{one}/details"), "budget_not_found")
        problem(await other.send("PUT", one, BODY), "budget_not_found")
        problem(await other.delete(one), "budget_not_found")
        problem(await other.get("/budgets", user_id=user.user_id), "book_not_found")
        problem(await other.get("/budgets/progress", user_id=user.user_id), "book_not_found")
    problem(await user.get(f"/budgets/{new_id()}"), "budget_not_found")
    problem(await api.user().post("/budgets", BODY), "book_not_found")

    assert pointers(problem(await api.admin.get("/budgets"), "validation_failed")) == ["/user_id"]
    listed = await api.admin.get("/budgets", user_id=user.user_id)
    assert [each["budget_id"] for each in listed.json()["items"]] == [budget["budget_id"]]
    budget_of(await api.admin.post("/budgets", BODY | {"user_id": user.user_id}), 201)
    reader = await api.service("budgets:read")
    assert problem(await reader.delete(one), "forbidden")["scope"] == "budgets:write"
    assert budget_of(await reader.get(one)) == budget


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"amount": "-1"}, "/amount"),
        ({"period": "fortnightly"}, "/period"),
        ({"start_date": "0000-01-01"}, "/start_date"),
        ({"start_date": "2024-02-30"}, "/start_date"),
        ({"start_date": "1899-12-31"}, "/start_date"),
        ({"start_date": "2000-01-01", "period": "daily"}, "/start_date"),
        ({"start_date": "1900-01-01", "period": "weekly"}, "/start_date"),
        ({"start_date": "20240101"}, "/start_date"),
        ({"start_date": 0}, "/start_date"),
        ({"end_date": "2023-12-31"}, "/end_date"),
        ({"end_date": "2024-01-01"}, "/end_date"),
        ({"tiers": [90, 75]}, "/tiers"),
        ({"tiers": [75, 75]}, "/tiers"),
        ({"tiers": [0]}, "/tiers/0"),
        ({"tiers": [1.5]}, "/tiers/0"),
        ({"carry": "all"}, "/carry"),
        ({"carry_cap": "5"}, "/carry_cap"),
        ({"prorate": "yes"}, "/prorate"),
        ({"wallet_ids": ["x"]}, "/wallet_ids/0"),
        ({"category_ids": [new_id()] * 2}, "/category_ids"),
        ({"items": [{"category_id": new_id(), "amount": "100.01"}]}, "/items"),
        (
            {"items": [{"category_id": new_id(), "amount": "60"}, {"category_id": new_id(), "amount": "60"}]},
            "/items",
        ),
        ({"name": ""}, "/name"),
        ({"rollover": True}, "/rollover"),
    ],
)
async def test_bad_input_is_named(direct_api: Api, members: dict[str, Any], pointer: str) -> None:
    user = await owner(direct_api)
    answer = await user.post("/budgets", BODY | {"carry": "none"} | members)
    found = answer.json()
    assert answer.status_code == 422, answer.text
    assert pointers(found) == [pointer]


async def test_a_later_day_and_no_day_are_refused(direct_api: Api) -> None:
    user = await owner(direct_api)
    for on in ("2999-01-01", "2024-02-30", "0000-01-01", "yesterday"):
        refused = problem(await user.get("/budgets/progress", on=on), "validation_failed")
        assert pointers(refused) == ["/on"]


async def test_a_book_has_so_many_budgets(direct_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet_service.finance.budgets.repository.MOST_BUDGETS", 2)
    user = await owner(direct_api)
    for _ in range(2):
        budget = budget_of(await user.post("/budgets", BODY), 201)
    assert problem(await user.post("/budgets", BODY), "budget_limit")["limit"] == 2
    await user.delete(f"/budgets/{budget['budget_id']}")
    budget_of(await user.post("/budgets", BODY), 201)
