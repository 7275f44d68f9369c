import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager as Context
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from support.api import Api, created, new_user, pointers, posted, problem

from wallet_service.core.identifiers import new_id


async def test_defaults(api: Api) -> None:
    user_id = new_user()
    answer = await api.admin.post("/wallets", {"user_id": user_id})
    wallet = created(answer)
    assert answer.headers["Location"] == f"/api/v1/wallets/{wallet['wallet_id']}"
    assert answer.headers["ETag"] == '"1.0"'
    assert "Idempotency-Replayed" not in answer.headers
    assert wallet["created_at"] == wallet["updated_at"]
    assert {
        name: wallet[name] for name in wallet if name not in {"wallet_id", "created_at", "updated_at"}
    } == {
        "user_id": user_id,
        "organization_id": None,
        "name": "main",
        "wallet_type": "fiat",
        "currency": "CREDIT",
        "keeping": "operating",
        "network": None,
        "address": None,
        "balance": "0.000000",
        "locked_balance": "0.000000",
        "available_balance": "0.000000",
        "credit_limit": "0.000000",
        "status": "active",
        "is_primary": True,
        "version": 1,
        "last_entry": 0,
        "metadata": {},
    }


async def test_every_member_is_kept(api: Api) -> None:
    given: dict[str, Any] = {
        "user_id": new_user(),
        "wallet_type": "crypto",
        "currency": "ETH",
        "name": "Zoë's 🏦",
        "organization_id": "org-7",
        "network": "ethereum",
        "address": "0x00000000219ab540356cBB839Cbe05303d7705Fa",
        "credit_limit": "2.5",
        "metadata": {"team": {"colour": "blue"}, "list": [1, "two", None]},
    }
    answer = await api.admin.post("/wallets", given | {"initial_balance": "1.000000000000000001"})
    wallet = created(answer)
    assert {name: wallet[name] for name in given} == given | {"credit_limit": "2.500000000000000000"}
    assert wallet["balance"] == "1.000000000000000001"
    assert (await api.admin.get(f"/wallets/{wallet['wallet_id']}")).content == answer.content


async def test_numbers_in_metadata_keep_their_digits(api: Api) -> None:
    metadata = {"price": Decimal("1.10"), "big": Decimal("12345678901234567890.123"), "n": 2**63}
    answer = await api.admin.post("/wallets", {"user_id": new_user(), "metadata": metadata})
    for digits in (b"1.10", b"12345678901234567890.123", b"9223372036854775808"):
        assert digits in answer.content


async def test_the_opening_balance_is_a_deposit(api: Api) -> None:
    answer = await api.admin.post("/wallets", {"user_id": new_user(), "initial_balance": Decimal("10.50")})
    wallet = created(answer)
    assert (wallet["balance"], wallet["available_balance"], wallet["last_entry"]) == (
        "10.500000",
        "10.500000",
        1,
    )
    assert answer.headers["ETag"] == '"1.1"'
    (entry,) = (await api.admin.get(f"/wallets/{wallet['wallet_id']}/transactions")).json()["items"]
    assert (entry["transaction_type"], entry["direction"], entry["amount"]) == (
        "deposit",
        "credit",
        "10.500000",
    )
    assert (entry["balance_before"], entry["balance_after"]) == ("0.000000", "10.500000")
    assert (entry["counter_account"], entry["client_id"]) == ("external:deposits", "admin")


@pytest.mark.parametrize("balance", ["0", "0.00", 0])
async def test_an_opening_balance_of_0_posts_nothing(api: Api, balance: Any) -> None:
    wallet = created(await api.admin.post("/wallets", {"user_id": new_user(), "initial_balance": balance}))
    assert (wallet["balance"], wallet["last_entry"]) == ("0.000000", 0)


@pytest.mark.parametrize(("currency", "zero"), [("JPY", "0"), ("USD", "0.00"), ("BTC", "0.00000000")])
async def test_amounts_have_the_digits_of_their_currency(api: Api, currency: str, zero: str) -> None:
    assert (await api.admin.wallet(currency=currency))["balance"] == zero


async def test_the_same_wallet_again_exists(api: Api, unchanged: Callable[[], Context[None]]) -> None:
    first = await api.admin.wallet("1", currency="USD", name="travel")
    same = {name: first[name] for name in ("user_id", "wallet_type", "currency", "name")}
    async with unchanged():
        answer = await api.admin.post("/wallets", same | {"initial_balance": "5"})
        assert problem(answer, "wallet_exists")["wallet_id"] == first["wallet_id"]


@pytest.mark.parametrize(
    "other", [{"wallet_type": "hybrid"}, {"currency": "EUR"}, {"name": "Main"}, {"user_id": "another"}]
)
async def test_another_wallet_stands_beside_it(api: Api, other: dict[str, str]) -> None:
    user_id = new_user()
    first = await api.admin.wallet(user_id=user_id, currency="USD")
    second = await api.admin.wallet(**{"user_id": user_id, "currency": "USD"} | other | _own(other))
    assert second["wallet_id"] != first["wallet_id"]


def _own(other: dict[str, str]) -> dict[str, str]:
    return {"user_id": new_user()} if "user_id" in other else {}


async def test_the_first_wallet_of_a_currency_is_primary(api: Api) -> None:
    user_id = new_user()
    made = [
        await api.admin.wallet(user_id=user_id, currency=currency, name=name)
        for currency, name in (("USD", "a"), ("USD", "b"), ("EUR", "a"))
    ]
    assert [wallet["is_primary"] for wallet in made] == [True, False, True]


async def test_twenty_at_once_make_one(api: Api) -> None:
    body = {"user_id": new_user(), "initial_balance": "5"}
    answers = await asyncio.gather(*(api.admin.post("/wallets", body) for _ in range(20)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] + [409] * 19
    (made,) = (created(answer) for answer in answers if answer.status_code == 201)
    for answer in answers:
        if answer.status_code == 409:
            assert problem(answer, "wallet_exists")["wallet_id"] == made["wallet_id"]
    assert await api.admin.balance(made["wallet_id"]) == "5.000000"


@pytest.mark.parametrize("where", ["header", "body", "both"])
async def test_the_same_key_and_request_make_one_wallet(api: Api, where: str) -> None:
    key = new_id()
    body = {"user_id": new_user(), "initial_balance": "5", "metadata": {"a": 1}}
    if where != "header":
        body["idempotency_key"] = key
    header = None if where == "body" else key
    first = await api.admin.post("/wallets", body, key=header)
    wallet = created(first)
    assert "Idempotency-Replayed" not in first.headers
    await api.admin.move("consume", wallet["wallet_id"], "5")
    again = await api.admin.post("/wallets", body, key=header)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert again.content == first.content
    assert [again.headers[name] for name in ("Location", "ETag")] == [
        first.headers[name] for name in ("Location", "ETag")
    ]
    assert await api.admin.balance(wallet["wallet_id"]) == "0.000000"


async def test_header_and_body_name_different_keys(api: Api, unchanged: Callable[[], Context[None]]) -> None:
    async with unchanged():
        body = {"user_id": new_user(), "idempotency_key": "one"}
        problem(await api.admin.post("/wallets", body, key="two"), "idempotency_key_conflict")


@pytest.mark.parametrize(
    "other",
    [
        {"name": "other"},
        {"initial_balance": "6"},
        {"metadata": {"a": 2}},
        {"user_id": "other"},
        {"credit_limit": "1"},
    ],
)
async def test_a_key_spent_on_another_wallet(
    api: Api, unchanged: Callable[[], Context[None]], other: dict[str, Any]
) -> None:
    key, body = new_id(), {"user_id": new_user(), "initial_balance": "5"}
    created(await api.admin.post("/wallets", body, key=key))
    async with unchanged():
        problem(await api.admin.post("/wallets", body | other, key=key), "idempotency_key_reused")


async def test_a_posting_s_key_is_spent_for_wallets(api: Api, unchanged: Callable[[], Context[None]]) -> None:
    key, wallet = new_id(), await api.admin.wallet()
    posted(await api.admin.move("deposit", wallet["wallet_id"], key=key))
    async with unchanged():
        problem(await api.admin.post("/wallets", {"user_id": new_user()}, key=key), "idempotency_key_reused")


async def test_a_wallet_s_key_is_spent_for_postings(api: Api, unchanged: Callable[[], Context[None]]) -> None:
    key = new_id()
    wallet = created(await api.admin.post("/wallets", {"user_id": new_user()}, key=key))
    async with unchanged():
        answer = await api.admin.move("deposit", wallet["wallet_id"], key=key)
        problem(answer, "idempotency_key_reused")


async def test_a_refusal_spends_no_key(api: Api) -> None:
    key, user_id = new_id(), new_user()
    first = await api.admin.wallet(user_id=user_id)
    problem(await api.admin.post("/wallets", {"user_id": user_id}, key=key), "wallet_exists")
    await api.admin.delete(f"/wallets/{first['wallet_id']}")
    created(await api.admin.post("/wallets", {"user_id": user_id}, key=key))


async def test_an_amount_written_otherwise_is_the_same_request(api: Api) -> None:
    key, body = new_id(), {"user_id": new_user(), "initial_balance": "5", "credit_limit": "2"}
    first = await api.admin.post("/wallets", body, key=key)
    again = await api.admin.post(
        "/wallets", body | {"initial_balance": "5.0", "credit_limit": "2.00"}, key=key
    )
    assert again.content == first.content
    other = await api.admin.post("/wallets", body | {"initial_balance": "5.1"}, key=key)
    problem(other, "idempotency_key_reused")
    other = await api.admin.post("/wallets", body | {"credit_limit": "3"}, key=key)
    problem(other, "idempotency_key_reused")


async def test_defaults_that_are_written_are_the_same_request(api: Api) -> None:
    user = api.user()
    for client in (api.admin, user):
        body: dict[str, Any] = {"user_id": user.user_id if client is user else new_user(), "name": new_id()}
        written = {"metadata": {}, "credit_limit": "0.00", "wallet_type": "fiat", "network": None}
        for first, *others in ((body, body | written), (body | written | {"name": new_id()}, body)):
            key = new_id()
            wallet = await client.post("/wallets", first, key=key)
            shown = created(wallet)
            made = {
                name: shown[name]
                for name in ("user_id", "wallet_type", "currency", "name", "organization_id", "network")
            } | {name: shown[name] for name in ("address", "credit_limit", "metadata")}
            for again in (made, *(other | {"name": first["name"]} for other in others)):
                replayed = await client.post("/wallets", again, key=key)
                assert replayed.content == wallet.content, again
            problem(
                await client.post("/wallets", made | {"metadata": {"a": 1}}, key=key),
                "idempotency_key_reused",
            )


async def test_a_request_with_defaults_of_an_earlier_release_is_still_a_replay(
    api: Api, superuser: asyncpg.Connection
) -> None:
    """Release 0.1.0 hashed defaults that were written."""
    key, body = new_id(), {"user_id": new_user(), "metadata": {}}
    first = await api.admin.post("/wallets", body, key=key)
    created(first)
    changed = await superuser.execute(
        """
        update wallet.idempotency set request_hash = wallet.hash_wallet_request($2, null) where key = $1
        """,
        key,
        json.dumps(body | {"wallet_type": "fiat", "currency": "CREDIT", "name": "main"}),
    )
    assert changed == "UPDATE 1"
    assert (await api.admin.post("/wallets", body, key=key)).content == first.content


async def test_the_same_key_of_another_client_is_another_key(api: Api) -> None:
    key, one, two = new_id(), await api.service("wallets:write"), await api.service("wallets:write")
    first = created(await one.post("/wallets", {"user_id": new_user()}, key=key))
    second = created(await two.post("/wallets", {"user_id": new_user()}, key=key))
    assert first["wallet_id"] != second["wallet_id"]


async def test_fifty_identical_at_once_answer_the_same(api: Api) -> None:
    key, body = new_id(), {"user_id": new_user(), "initial_balance": "5"}
    answers = await asyncio.gather(*(api.admin.post("/wallets", body, key=key) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert await api.admin.balance(json.loads(answers[0].content)["wallet_id"]) == "5.000000"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"currency": "XXQ"}, "currency_unknown"),
    ({"currency": "usd"}, "validation_failed"),
    ({"currency": None}, "validation_failed"),
    ({"wallet_type": "savings"}, "validation_failed"),
    ({"user_id": ""}, "validation_failed"),
    ({"user_id": 7}, "validation_failed"),
    ({"user_id": None}, "validation_failed"),
    ({"user_id": "x" * 256}, "validation_failed"),
    ({"user_id": "a\x07b"}, "validation_failed"),
    ({"name": ""}, "validation_failed"),
    ({"name": "two\nlines"}, "validation_failed"),
    ({"name": "\u0000"}, "validation_failed"),
    ({"network": "n" * 65}, "validation_failed"),
    ({"address": "a" * 256}, "validation_failed"),
    ({"organization_id": ""}, "validation_failed"),
    ({"initial_balance": "-1"}, "amount_invalid"),
    ({"initial_balance": "NaN"}, "amount_invalid"),
    ({"initial_balance": True}, "amount_invalid"),
    ({"initial_balance": "1" * 21}, "amount_invalid"),
    ({"initial_balance": "0.0000001"}, "amount_precision"),
    ({"currency": "JPY", "initial_balance": "0.5"}, "amount_precision"),
    ({"credit_limit": "-1"}, "amount_invalid"),
    ({"credit_limit": "1e3"}, "amount_invalid"),
    ({"credit_limit": "0.0000001"}, "amount_precision"),
    ({"metadata": []}, "validation_failed"),
    ({"metadata": {"a": "x" * 17000}}, "validation_failed"),
    ({"metadata": {"n": Decimal("1e400"), "m": [Decimal("1e400")] * 50}}, "validation_failed"),
    ({"idempotency_key": ""}, "validation_failed"),
    ({"idempotency_key": "é"}, "validation_failed"),
    ({"balance": "5"}, "validation_failed"),
    ({"status": "frozen"}, "validation_failed"),
    ({"is_primary": True}, "validation_failed"),
    ({"version": 3}, "validation_failed"),
]


@pytest.mark.parametrize(("members", "code"), BAD, ids=lambda value: str(value)[:40])
async def test_bad_values_make_no_wallet(
    api: Api, unchanged: Callable[[], Context[None]], members: dict[str, Any], code: str
) -> None:
    async with unchanged():
        for key in (None, new_id()):
            answer = await api.admin.post("/wallets", {"user_id": new_user()} | members, key=key)
            document = problem(answer, code)
            if code == "validation_failed":
                assert pointers(document)[0].removeprefix("/").split("/")[0] in {*members, ""}


async def test_an_unknown_currency_is_named_with_the_closest_one(api: Api) -> None:
    answer = await api.admin.post("/wallets", {"user_id": new_user(), "currency": "EURO"})
    document = problem(answer, "currency_unknown")
    assert document["detail"] == "There is no currency EURO; the closest one is EUR"
    assert (document["currency"], document["closest"]) == ("EURO", "EUR")
    assert "similar" not in document


async def test_a_user_must_be_named(api: Api) -> None:
    assert pointers(problem(await api.admin.post("/wallets", {}), "validation_failed")) == ["/user_id"]


async def test_no_row_can_be_read_back_as_anything_else(api: Api, superuser: asyncpg.Connection) -> None:
    text = "'; drop table wallet.wallets; -- \\ \" %s {0} <b>"
    wallet = await api.admin.wallet(name=text, metadata={text: text})
    row = await superuser.fetchrow(
        "select name, metadata from wallet.wallets where wallet_id = $1", wallet["wallet_id"]
    )
    assert row is not None
    assert (row["name"], json.loads(row["metadata"])) == (text, {text: text})
    assert (wallet["name"], wallet["metadata"]) == (text, {text: text})


async def test_credit_is_money_and_organizations_are_not_chosen(api: Api) -> None:
    service, user_id = await api.service("wallets:write"), new_user()
    answer = await service.post("/wallets", {"user_id": user_id, "credit_limit": "5"})
    assert problem(answer, "forbidden")["scope"] == "credit_limits:write"
    wallet = created(await service.post("/wallets", {"user_id": user_id}))
    answer = await service.patch(f"/wallets/{wallet['wallet_id']}", {"credit_limit": "5"})
    assert problem(answer, "forbidden")["scope"] == "credit_limits:write"
    answer = await api.user(user_id).post(
        "/wallets", {"user_id": user_id, "organization_id": "theirs", "name": "x"}
    )
    problem(answer, "forbidden")
