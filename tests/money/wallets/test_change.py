import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager as Context
from decimal import Decimal
from typing import Any

import httpx
import pytest
from support.api import Api, conforms, new_user, pointers, posted, problem

from wallet_service.core.identifiers import new_id
from wallet_service.money.wallets.schemas import Wallet


def changed(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    wallet = conforms(answer.content, Wallet)
    assert answer.headers["ETag"] == f'"{wallet["version"]}.{wallet["last_entry"]}"'
    return wallet


async def test_reading_answers_the_wallet_with_its_etag(api: Api) -> None:
    made = await api.admin.wallet("5")
    answer = await api.admin.get(f"/wallets/{made['wallet_id']}")
    assert changed(answer) == made
    assert answer.headers["ETag"] == '"1.1"'


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_an_unknown_wallet(api: Api, method: str) -> None:
    wallet_id = new_id()
    answer = await api.admin.send(method, f"/wallets/{wallet_id}", b"{}" if method == "PATCH" else None)
    assert problem(answer, "wallet_not_found")["wallet_id"] == wallet_id


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("wallet_id", ["7", "not-a-uuid", "0199d0a8-0000-7000-8000-00000000000g", "null"])
async def test_a_wallet_id_that_is_no_uuid(api: Api, method: str, wallet_id: str) -> None:
    answer = await api.admin.send(method, f"/wallets/{wallet_id}", b"{}" if method == "PATCH" else None)
    document = problem(answer, "validation_failed")
    assert (document["errors"][0]["in"], pointers(document)) == ("path", ["/wallet_id"])


async def test_a_patch_changes_what_it_names(api: Api) -> None:
    made = await api.admin.wallet("5", metadata={"a": 1})
    wallet = changed(
        await api.admin.patch(f"/wallets/{made['wallet_id']}", {"name": "travel", "credit_limit": "2.5"})
    )
    assert wallet["updated_at"] > made["updated_at"]
    assert wallet == made | {
        "name": "travel",
        "credit_limit": "2.500000",
        "version": 2,
        "updated_at": wallet["updated_at"],
    }
    assert await api.admin.read(made["wallet_id"]) == wallet


@pytest.mark.parametrize("body", [{}, {"name": "main"}, {"metadata": {}}, {"credit_limit": "0.00"}])
async def test_a_patch_without_a_change_leaves_the_version(
    api: Api, unchanged: Callable[[], Context[None]], body: dict[str, Any]
) -> None:
    made = await api.admin.wallet("5")
    async with unchanged():
        assert changed(await api.admin.patch(f"/wallets/{made['wallet_id']}", body)) == made


async def test_a_patch_may_be_declared_as_a_merge_patch(api: Api) -> None:
    made = await api.admin.wallet()
    answer = await api.admin.send(
        "PATCH",
        f"/wallets/{made['wallet_id']}",
        b'{"name": "x"}',
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert changed(answer)["name"] == "x"


@pytest.mark.parametrize(
    ("patch", "merged"),
    [
        ({"new": 1}, {"a": {"b": 1, "c": [1, 2]}, "d": "x", "new": 1}),
        ({"d": None}, {"a": {"b": 1, "c": [1, 2]}}),
        ({"a": {"b": None}}, {"a": {"c": [1, 2]}, "d": "x"}),
        ({"a": {"e": {"f": None, "g": 1}}}, {"a": {"b": 1, "c": [1, 2], "e": {"g": 1}}, "d": "x"}),
        ({"a": {"c": [3]}}, {"a": {"b": 1, "c": [3]}, "d": "x"}),
        ({"a": "text"}, {"a": "text", "d": "x"}),
        ({"d": {"deep": None}}, {"a": {"b": 1, "c": [1, 2]}, "d": {}}),
        ({"unknown": None}, {"a": {"b": 1, "c": [1, 2]}, "d": "x"}),
        (None, {}),
    ],
)
async def test_metadata_merges_member_by_member(api: Api, patch: Any, merged: dict[str, Any]) -> None:
    made = await api.admin.wallet(metadata={"a": {"b": 1, "c": [1, 2]}, "d": "x"})
    wallet = changed(await api.admin.patch(f"/wallets/{made['wallet_id']}", {"metadata": patch}))
    assert wallet["metadata"] == merged


async def test_merged_metadata_is_limited_too(api: Api, unchanged: Callable[[], Context[None]]) -> None:
    made = await api.admin.wallet(metadata={"a": "x" * 10_000})
    async with unchanged():
        answer = await api.admin.patch(f"/wallets/{made['wallet_id']}", {"metadata": {"b": "y" * 10_000}})
        assert pointers(problem(answer, "validation_failed")) == ["/metadata"]


async def test_metadata_s_numbers_keep_their_digits_through_a_merge(api: Api) -> None:
    made = await api.admin.wallet(metadata={"kept": Decimal("1.10")})
    path = f"/wallets/{made['wallet_id']}"
    answer = await api.admin.patch(path, {"metadata": {"new": Decimal("12345678901234567890.1230")}})
    assert b"1.10" in answer.content
    assert b"12345678901234567890.1230" in answer.content


async def test_a_name_that_is_taken(api: Api, unchanged: Callable[[], Context[None]]) -> None:
    taken = await api.admin.wallet(name="taken")
    other = await api.admin.wallet(name="other", user_id=taken["user_id"])
    async with unchanged():
        answer = await api.admin.patch(f"/wallets/{other['wallet_id']}", {"name": "taken"})
        assert problem(answer, "wallet_exists")["wallet_id"] == taken["wallet_id"]


async def test_two_wallets_can_t_take_one_name_at_once(api: Api) -> None:
    user_id = new_user()
    made = [await api.admin.wallet(user_id=user_id, name=f"w{n}") for n in range(8)]
    answers = await asyncio.gather(
        *(api.admin.patch(f"/wallets/{wallet['wallet_id']}", {"name": "wanted"}) for wallet in made)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


async def test_frozen_and_thawed(api: Api) -> None:
    made = await api.admin.wallet("5")
    path, wallet_id = f"/wallets/{made['wallet_id']}", made["wallet_id"]
    assert changed(await api.admin.patch(path, {"status": "frozen"}))["status"] == "frozen"
    problem(await api.admin.move("consume", wallet_id), "wallet_frozen")
    posted(await api.admin.move("deposit", wallet_id))
    assert changed(await api.admin.patch(path, {"status": "active"}))["status"] == "active"
    posted(await api.admin.move("consume", wallet_id))


async def test_the_primary_moves(api: Api) -> None:
    user_id = new_user()
    first, second = [await api.admin.wallet(user_id=user_id, name=name) for name in ("a", "b")]
    euro = await api.admin.wallet(user_id=user_id, currency="EUR")
    assert changed(await api.admin.patch(f"/wallets/{second['wallet_id']}", {"is_primary": True}))[
        "is_primary"
    ]
    former = await api.admin.read(first["wallet_id"])
    assert (former["is_primary"], former["version"]) == (False, 2)
    assert await api.admin.read(euro["wallet_id"]) == euro
    assert not changed(await api.admin.patch(f"/wallets/{second['wallet_id']}", {"is_primary": False}))[
        "is_primary"
    ]


async def test_of_many_that_want_to_be_primary_one_is(api: Api) -> None:
    user_id = new_user()
    made = [await api.admin.wallet(user_id=user_id, name=f"w{n}") for n in range(8)]
    answers = await asyncio.gather(
        *(api.admin.patch(f"/wallets/{wallet['wallet_id']}", {"is_primary": True}) for wallet in made)
    )
    assert {answer.status_code for answer in answers} == {200}
    items = (await api.admin.get(f"/users/{user_id}/wallets")).json()["items"]
    assert sum(wallet["is_primary"] for wallet in items) == 1


async def test_a_credit_limit_allows_debt_and_can_t_fall_below_it(
    api: Api, unchanged: Callable[[], Context[None]]
) -> None:
    made = await api.admin.wallet("1", credit_limit="10")
    path, wallet_id = f"/wallets/{made['wallet_id']}", made["wallet_id"]
    assert posted(await api.admin.move("consume", wallet_id, "8"))["balance_after"] == "-7.000000"
    async with unchanged():
        answer = await api.admin.patch(path, {"credit_limit": "6.999999", "name": "lower"})
        assert problem(answer, "credit_limit_in_use")["wallet_id"] == wallet_id
    assert changed(await api.admin.patch(path, {"credit_limit": "7"}))["credit_limit"] == "7.000000"
    assert (
        problem(await api.admin.move("consume", wallet_id, "1"), "insufficient_funds")["shortfall"]
        == "1.000000"
    )


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": None}, "validation_failed"),
    ({"name": ""}, "validation_failed"),
    ({"name": "a\nb"}, "validation_failed"),
    ({"status": None}, "validation_failed"),
    ({"status": "closed"}, "validation_failed"),
    ({"is_primary": None}, "validation_failed"),
    ({"is_primary": "yes"}, "validation_failed"),
    ({"is_primary": 1}, "validation_failed"),
    ({"metadata": "x"}, "validation_failed"),
    ({"metadata": {"a": "x" * 17000}}, "validation_failed"),
    ({"credit_limit": None}, "amount_invalid"),
    ({"credit_limit": "-1"}, "amount_invalid"),
    ({"credit_limit": "NaN"}, "amount_invalid"),
    ({"credit_limit": "0.0000001"}, "amount_precision"),
    ({"balance": "5"}, "validation_failed"),
    ({"currency": "USD"}, "validation_failed"),
    ({"user_id": "other"}, "validation_failed"),
    ({"idempotency_key": "k"}, "validation_failed"),
]


@pytest.mark.parametrize(("body", "code"), BAD, ids=str)
async def test_a_bad_patch_changes_nothing(
    api: Api, unchanged: Callable[[], Context[None]], body: dict[str, Any], code: str
) -> None:
    made = await api.admin.wallet("5")
    async with unchanged():
        answer = await api.admin.patch(f"/wallets/{made['wallet_id']}", {"name": "good"} | body)
        problem(answer, code)


async def test_if_match_of_the_present_version(api: Api) -> None:
    made = await api.admin.wallet()
    path = f"/wallets/{made['wallet_id']}"
    first = await api.admin.patch(path, {"name": "one"}, if_match='"1.0"')
    assert changed(first)["version"] == 2
    assert (
        changed(await api.admin.patch(path, {"name": "two"}, if_match=first.headers["ETag"]))["version"] == 3
    )


async def test_if_match_of_a_former_version(api: Api, unchanged: Callable[[], Context[None]]) -> None:
    made = await api.admin.wallet()
    path = f"/wallets/{made['wallet_id']}"
    changed(await api.admin.patch(path, {"name": "one"}))
    async with unchanged():
        for send in (
            lambda: api.admin.patch(path, {"name": "two"}, if_match='"1.0"'),
            lambda: api.admin.delete(path, if_match='"1.0"'),
        ):
            assert problem(await send(), "version_mismatch")["version"] == 2


async def test_if_match_looks_at_the_version_only(api: Api) -> None:
    made = await api.admin.wallet()
    posted(await api.admin.move("deposit", made["wallet_id"]))
    answer = await api.admin.patch(f"/wallets/{made['wallet_id']}", {"name": "x"}, if_match='"1.0"')
    assert answer.headers["ETag"] == '"2.1"'


@pytest.mark.parametrize("if_match", ["*", 'W/"1.0"'])
async def test_if_match_in_its_other_forms(api: Api, if_match: str) -> None:
    made = await api.admin.wallet()
    changed(await api.admin.patch(f"/wallets/{made['wallet_id']}", {"name": "x"}, if_match=if_match))


@pytest.mark.parametrize(
    "if_match",
    [
        "",
        "x",
        '"x.y"',
        '"-1.0"',
        '"1e3.0"',
        '"9223372036854775808.0"',
        '"1.0", "2.0"',
        '"1.x"',
        "1" * 65,
        '""',
    ],
)
async def test_if_match_that_is_no_etag_of_a_wallet(
    api: Api, unchanged: Callable[[], Context[None]], if_match: str
) -> None:
    made = await api.admin.wallet()
    async with unchanged():
        for answer in (
            await api.admin.patch(f"/wallets/{made['wallet_id']}", {"name": "x"}, if_match=if_match),
            await api.admin.delete(f"/wallets/{made['wallet_id']}", if_match=if_match),
        ):
            (error,) = problem(answer, "validation_failed")["errors"]
            assert (error["in"], error["pointer"]) == ("header", "/If-Match")


async def test_of_many_with_the_same_etag_one_wins(api: Api) -> None:
    made = await api.admin.wallet()
    answers = await asyncio.gather(
        *(
            api.admin.patch(f"/wallets/{made['wallet_id']}", {"name": f"n{n}"}, if_match='"1.0"')
            for n in range(20)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19
