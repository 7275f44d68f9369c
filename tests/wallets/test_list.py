import json
from typing import Any

import asyncpg
import pytest
from conftest import FreshDatabase
from support.api import Api, Client, conforms, new_user, pointers, problem
from support.places import connect

from wallet_service.identifiers import new_id
from wallet_service.wallets.repository import WalletRepository
from wallet_service.wallets.schemas import WalletPage


async def page(client: Client, user_id: str, **query: Any) -> dict[str, Any]:
    answer = await client.get(f"/users/{user_id}/wallets", **query)
    assert answer.status_code == 200, answer.text
    return conforms(answer.content, WalletPage)


async def ids(client: Client, user_id: str, **query: Any) -> list[str]:
    found = await page(client, user_id, **query)
    assert found["next_cursor"] is None
    return [wallet["wallet_id"] for wallet in found["items"]]


async def test_a_user_without_wallets(api: Api) -> None:
    assert await page(api.admin, new_user()) == {"items": [], "next_cursor": None}


async def test_filters(api: Api) -> None:
    user_id = new_user()
    await api.admin.wallet()  # somebody else's
    usd = await api.admin.wallet(user_id=user_id, currency="USD")
    eth = await api.admin.wallet(user_id=user_id, currency="ETH", wallet_type="crypto")
    frozen = await api.admin.wallet(user_id=user_id, currency="ETH", name="cold", wallet_type="hybrid")
    closed = await api.admin.wallet(user_id=user_id, currency="USD", name="old")
    await api.admin.patch(f"/wallets/{frozen['wallet_id']}", {"status": "frozen"})
    await api.admin.delete(f"/wallets/{closed['wallet_id']}")
    usd, eth, frozen, closed = (wallet["wallet_id"] for wallet in (usd, eth, frozen, closed))
    for query, expected in (
        ({}, [usd, eth, frozen, closed]),
        ({"currency": "USD"}, [usd, closed]),
        ({"currency": "EUR"}, []),
        ({"wallet_type": "crypto"}, [eth]),
        ({"status": "active"}, [usd, eth]),
        ({"status": "frozen"}, [frozen]),
        ({"status": "closed"}, [closed]),
        ({"currency": "USD", "status": "active", "wallet_type": "fiat"}, [usd]),
    ):
        assert await ids(api.admin, user_id, **query) == expected, query


async def test_the_items_are_the_wallets(api: Api) -> None:
    made = await api.admin.wallet("5", metadata={"a": 1})
    assert (await page(api.admin, made["user_id"]))["items"] == [made]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
async def test_pages_have_every_wallet_once_in_order(api: Api, limit: int) -> None:
    user_id = new_user()
    made = [(await api.admin.wallet(user_id=user_id, name=f"w{n}"))["wallet_id"] for n in range(7)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(7):
        found = await page(api.admin, user_id, limit=limit, **cursor)
        assert 1 <= len(found["items"]) <= limit
        seen += [wallet["wallet_id"] for wallet in found["items"]]
        if found["next_cursor"] is None:
            break
        cursor = {"cursor": found["next_cursor"]}
    assert seen == made


async def test_a_cursor_of_another_list(api: Api) -> None:
    user_id, other = new_user(), new_user()
    for owner in (user_id, other):
        for name in ("a", "b"):
            await api.admin.wallet("1", user_id=owner, name=name)
    cursor = (await page(api.admin, user_id, limit=1))["next_cursor"]
    for path, query in (
        (f"/users/{other}/wallets", {}),
        (f"/users/{user_id}/wallets", {"currency": "CREDIT"}),
        (f"/users/{user_id}/wallets", {"status": "active"}),
        (f"/users/{user_id}/transactions", {}),
    ):
        answer = await api.admin.get(path, cursor=cursor, **query)
        assert pointers(problem(answer, "validation_failed")) == ["/cursor"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "ten"},
        {"cursor": "x"},
        {"cursor": ""},
        {"cursor": "é"},
        {"cursor": "W10"},
        {"status": "open"},
        {"wallet_type": "savings"},
        {"currency": "usd"},
    ],
    ids=str,
)
async def test_bad_queries(api: Api, query: dict[str, Any]) -> None:
    answer = await api.admin.get(f"/users/{new_user()}/wallets", **query)
    (error,) = problem(answer, "validation_failed")["errors"]
    assert (error["in"], error["pointer"]) == ("query", f"/{next(iter(query))}")


async def test_a_user_id_too_long(api: Api) -> None:
    assert pointers(problem(await api.admin.get(f"/users/{'x' * 256}/wallets"), "validation_failed")) == [
        "/user_id"
    ]


async def test_verified_wallets_are_looked_for_among_ten_thousand(fresh_database: FreshDatabase) -> None:
    made = await fresh_database()
    database, superuser = await connect(made.service_dsn), await asyncpg.connect(made.dsn)
    repository = WalletRepository(database)
    first, last = f"00{new_id()[2:]}", f"ff{new_id()[2:]}"
    for wallet_id in (first, last):
        wallet = {"user_id": wallet_id, "wallet_type": "fiat", "currency": "CREDIT", "name": "main"}
        await repository.create(wallet_id, "test", None, wallet, None)
    await superuser.execute(
        "insert into wallet.wallets select (jsonb_populate_record(w, jsonb_build_object('wallet_id', gen_random_uuid(), "
        "'user_id', 'unverified-' || n, 'unverified_since', now()))).* "
        "from wallet.wallets w, generate_series(1, 10500) n where w.wallet_id = $1::text::uuid",
        first,
    )
    pages, after = list[list[str]](), None
    while not pages or after is not None:
        items, after = await repository.page_of_all(True, after, 10)  # noqa: FBT003 - verified
        pages.append([wallet["wallet_id"] for wallet in json.loads(items)])
    assert pages == [[first], [last]]
    await superuser.close()
    await database.close()
