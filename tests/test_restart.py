"""What was answered holds, and what is sent again has one effect: across restarts, and across every kill."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from conftest import FreshDatabase, Locate
from support.api import ROOT, Api, Client, new_user, open_api, posted
from support.database_location import DatabaseLocation
from support.load import (
    READY_S,
    REQUESTS,
    WALLETS,
    Load,
    assert_verified,
    funded_wallets,
    postings_of,
    until_ready,
)
from support.polling import wait_for_lock_waiters
from support.service import command, serving
from support.supabase import as_authenticator, make_roles, open_project

from wallet_service.core.identifiers import new_id
from wallet_service.platform.database.migrate import migrate
from wallet_service.platform.embedded_postgres.server import EmbeddedPostgres
from wallet_service.rooms import ROOMS


@asynccontextmanager
async def running(data_dir: Path, driver: str) -> AsyncIterator[tuple[EmbeddedPostgres, Api]]:
    """The application on a server of its own, both started for this."""
    async with (
        EmbeddedPostgres(data_dir) as server,
        location_on(server, driver) as location,
        open_api(location) as api,
    ):
        yield server, api


@asynccontextmanager
async def location_on(server: EmbeddedPostgres, driver: str) -> AsyncIterator[DatabaseLocation]:
    """Where the driver finds the migrated database of this server."""
    if driver == "postgres":
        await migrate(server.admin_dsn, ROOMS)
        yield server.service_dsn
        return
    password = await make_roles(server.admin_dsn)
    await migrate(server.admin_dsn, ROOMS)
    async with open_project(as_authenticator(server.admin_dsn, password), "restart") as project:
        yield project


async def test_a_key_is_remembered_across_a_restart_of_everything(data_dir: Path, driver: str) -> None:
    """The same bytes come back from another process of Postgres and another application."""
    opening = {"user_id": new_user(), "initial_balance": "100"}
    async with running(data_dir, driver) as (_, api):
        admin = api.admin
        made = await admin.post("/wallets", opening, key="opening")
        wallet, other = made.json()["wallet_id"], (await admin.wallet())["wallet_id"]
        moved = posted(await admin.move("consume", wallet, "10", key="taken"))
        batch = [{"type": "consume", "wallet_id": wallet, "amount": "1"} for _ in range(3)]

        def requests(admin: Client) -> list[Any]:
            return [
                admin.post("/wallets", opening, key="opening"),
                admin.move("consume", wallet, "10", key="taken"),
                admin.move("transfer", wallet, "5", key="moved", to_wallet_id=other),
                admin.refund(moved["transaction_id"], key="returned", amount="2.5"),
                admin.batch(*batch, key="batch"),
            ]

        first = [await request for request in requests(admin)]
        assert [answer.status_code for answer in first] == [201, 201, 201, 201, 200]
        before = await admin.read(wallet)
    async with running(data_dir, driver) as (_, api):
        again = [await request for request in requests(api.admin)]
        assert [answer.content for answer in again] == [answer.content for answer in first]
        assert {answer.headers["Idempotency-Replayed"] for answer in again} == {"true"}
        changed = await api.admin.move("consume", wallet, "11", key="taken")
        assert changed.json()["code"] == "idempotency_key_reused"
        assert await api.admin.read(wallet) == before
        await assert_verified(api)


def _postmaster(server: EmbeddedPostgres) -> int:
    return int((server.data_dir / "pg" / "postmaster.pid").read_text().split("\n", 1)[0])


def _kill_postmaster(server: EmbeddedPostgres, backends: Sequence[int]) -> None:
    del backends
    os.kill(_postmaster(server), signal.SIGKILL)


def _stop_at_once(server: EmbeddedPostgres, backends: Sequence[int]) -> None:
    del backends
    os.kill(_postmaster(server), signal.SIGQUIT)


def _kill_backend(server: EmbeddedPostgres, backends: Sequence[int]) -> None:
    """Postgres ends all other sessions then, and recovers by itself."""
    del server
    os.kill(backends[0], signal.SIGKILL)


def _end_backends(server: EmbeddedPostgres, backends: Sequence[int]) -> None:
    """As an operator's ``pg_terminate_backend``."""
    del server
    for backend in backends:
        os.kill(backend, signal.SIGTERM)


@pytest.mark.parametrize(
    ("driver", "kill"),
    [
        *(("postgres", kill) for kill in (_kill_postmaster, _stop_at_once, _kill_backend, _end_backends)),
        # PostgREST's connections are lost in all of them; Postgres is away for a while, or is not.
        *(
            pytest.param("supabase", kill, marks=pytest.mark.supabase)
            for kill in (_kill_postmaster, _end_backends)
        ),
    ],
    indirect=["driver"],
)
async def test_postgres_is_killed_under_load(
    data_dir: Path, driver: str, kill: Callable[[EmbeddedPostgres, Sequence[int]], None]
) -> None:
    async with running(data_dir, driver) as (server, api):
        admin = api.admin
        wallets = await funded_wallets(admin)
        load = Load.on(wallets)
        backends: list[int] = []
        await asyncio.gather(*(admin.read(wallet) for wallet in wallets))  # connections are made
        backends += await _backends(server, driver)
        assert backends
        await load.send(admin.post, REQUESTS // 4, lambda: kill(server, backends))
        load.assert_posted_or_unavailable()
        await until_ready(api)
        kept, _ = await postings_of(admin, wallets)
        assert load.posted_ids <= kept
        for _ in range(2):
            await load.send(admin.post)
        names = load.assert_each_posted_once()
        kept, balance = await postings_of(admin, wallets)
        assert kept == names
        assert balance == load.expected_total
        await assert_verified(api)


async def _backends(server: EmbeddedPostgres, driver: str) -> list[int]:
    """The sessions that the service's calls run in."""
    connection = await asyncpg.connect(server.admin_dsn)
    whose = "application_name = 'wallet-service'" if driver == "postgres" else "usename = 'authenticator'"
    rows = await connection.fetch(
        f"select pid from pg_stat_activity where {whose} and query not ilike 'listen%' order by pid"
    )
    await connection.close()
    return [row["pid"] for row in rows]


async def test_sessions_are_ended_while_they_post(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    """The service sends what they had under way again, under the same ids: nobody hears of it, nothing is doubled."""
    database = await fresh_database()
    superuser = await asyncpg.connect(database.dsn)
    async with open_api(await locate_database(database)) as api:
        admin = api.admin
        wallet = (await admin.wallet("100"))["wallet_id"]
        async with superuser.transaction():
            await superuser.execute("select from wallet.wallets where wallet_id = $1 for update", wallet)
            sent = [
                asyncio.create_task(admin.move("consume", wallet, "1", key=key))
                for key in (None, None, "first", "second", "second")
            ]
            await wait_for_lock_waiters(superuser, 1)  # one session waits for all of them
            ended = await superuser.fetch(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            assert ended
        answers = [posted(answer) for answer in await asyncio.gather(*sent)]
        assert len({answer["transaction_id"] for answer in answers}) == len(answers) - 1
        assert await admin.balance(wallet) == "96.000000"
        await assert_verified(api)
    await superuser.close()


async def test_the_service_is_killed_under_load(data_dir: Path) -> None:
    """Its process and what it had under way are gone; Postgres may have committed postings whose responses were lost."""
    key = new_id() * 2
    settings = {"WALLET_ADMIN_KEY": key}
    headers = {"Authorization": f"Bearer {key}"}

    def client(url: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=url + ROOT, headers=headers, timeout=READY_S)

    def post_of(http: httpx.AsyncClient) -> Callable[..., Any]:
        return lambda path, body, key: http.post(path, json=body, headers={"Idempotency-Key": key})

    with serving(data_dir, **settings) as service:
        async with client(service.url) as http:
            wallets = [
                (await http.post("/wallets", json={"user_id": new_user(), "initial_balance": "1000"})).json()[
                    "wallet_id"
                ]
                for _ in range(WALLETS)
            ]
            load = Load.on(wallets)
            await load.send(post_of(http), REQUESTS // 4, service.process.kill)
    assert set(load.statuses) == {201}
    assert len(load.answers) < REQUESTS
    with serving(data_dir, **settings) as service:
        async with client(service.url) as http:
            for _ in range(2):
                await load.send(post_of(http))
            balances = [(await http.get(f"/wallets/{wallet}")).json()["balance"] for wallet in wallets]
    load.assert_each_posted_once()
    assert sum(map(Decimal, balances)) == load.expected_total
    with serving(data_dir, **settings):
        checked = command(data_dir, "verify", **settings)
    assert checked.returncode == 0, checked.stdout
    assert not re.search(r"FAULT", checked.stdout)
