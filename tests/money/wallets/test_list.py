import json
from typing import Any

import asyncpg
import pytest
from conftest import FreshDatabase
from support.api import Api, Client, conforms, new_user, pointers, problem
from support.database_location import connect

from wallet_service.core.identifiers import new_id
from wallet_service.money.wallets.repository import WalletRepository
from wallet_service.money.wallets.schemas import WalletPage
from wallet_service.platform.membership.visibility import MOST_ORGANIZATIONS


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


SCANS = """
select i.indexrelid::regclass::text as name, pg_stat_get_xact_numscans(i.indexrelid) as number
  from pg_index i where i.indrelid = 'wallet.wallets'::regclass
union all select 'sequential', pg_stat_get_xact_numscans('wallet.wallets'::regclass)
union all select 'rows', sum(pg_stat_get_xact_tuples_returned(i.indexrelid))::bigint
  from pg_index i where i.indrelid = 'wallet.wallets'::regclass
"""


ADD = """
insert into wallet.wallets (wallet_id, user_id, organization_id, name, wallet_type, currency, created_at, updated_at)
  select gen_random_uuid(), replace($1, '#', n::text), $2 || nullif(n % $3, 0), n, 'fiat', 'CREDIT', now(), now()
  from generate_series(1, $4) n
"""


async def test_a_users_organizations_are_steps_in_an_index(
    fresh_database: FreshDatabase, postgres_version: int
) -> None:
    made = await fresh_database(version=postgres_version)
    superuser = await asyncpg.connect(made.dsn)
    # To the planner nearly everybody has one wallet, and the way down this index is longer than a sort of one row.
    await superuser.execute(ADD, "user-#", "org-", 9, 4000)
    await superuser.execute(ADD, "eve", "a long name " * 40, 5000, 4000)
    await superuser.execute("analyze wallet.wallets")
    await superuser.execute(ADD, "ann", "org-", 4, 4000)
    await superuser.execute(ADD, "bob", "org-", 601, 600)
    unasked = "select wallet.list_unasked_organizations($1, $2)"
    async with superuser.transaction():
        before = {row["name"]: row["number"] for row in await superuser.fetch(SCANS)}
        answer = await superuser.fetchval(unasked, "ann", '{"org-2": false}')
        scans = {row["name"]: row["number"] - before[row["name"]] for row in await superuser.fetch(SCANS)}
    assert json.loads(answer) == {"unasked": ["org-1", "org-3"]}
    assert scans.pop("rows") <= 4
    assert {name: scan for name, scan in scans.items() if scan} == {"wallet.wallets_user_organization": 4}
    assert await superuser.fetchval(unasked, "ann", '{"org-1": true, "org-2": false, "org-3": true}') is None
    assert await superuser.fetchval(unasked, "ann", None) is None
    of_bob = await superuser.fetchval(unasked, "bob", "{}")
    assert len(json.loads(of_bob)["unasked"]) == MOST_ORGANIZATIONS + 1
    await superuser.close()
