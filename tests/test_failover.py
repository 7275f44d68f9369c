"""A primary and a synchronous standby: what was answered is on both, and the service finds the primary."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from support.api import ADMIN_KEY, Api, Client, new_user, open_api, posted, problem
from support.cluster import SERVICE_LOGIN, TEMPLATE
from support.database_location import open_location
from support.load import (
    REQUESTS,
    Load,
    assert_verified,
    funded_wallets,
    postings_of,
    until_ready,
)
from support.replication import Pair, replicated
from support.service import Service, command, refused, wait_for

from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.keys import create_key

HASTY_MS = 700
"""The time limit of calls that can't succeed."""


@pytest.fixture(scope="module")
async def pair() -> AsyncIterator[Pair]:
    async with replicated() as made:
        yield made


@pytest.fixture
async def own_pair() -> AsyncIterator[Pair]:
    """A pair of the test, which may lose a server."""
    async with replicated() as made:
        yield made


@asynccontextmanager
async def open_pair(pair: Pair, driver: str = "postgres", **settings: object) -> AsyncIterator[Api]:
    """The application on the primary."""
    async with (
        open_location(driver, pair.primary.cluster, TEMPLATE) as location,
        open_api(location, **settings) as opened,
    ):
        yield opened


async def released(pair: Pair) -> None:
    """Return when the standby has confirmed everything."""
    await pair.wait_until_synchronous()
    async with asyncio.timeout(30):
        while await pair.waiting():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.05)


async def test_a_write_is_unavailable_until_the_standby_has_it(pair: Pair, driver: str) -> None:
    """Each attempt: the first, which commits, and those that find what it committed, also when it is visible already."""
    opening = {"user_id": new_user(), "initial_balance": "5"}
    debit_key, opening_key = new_id(), new_id()
    async with (
        open_pair(pair, driver) as patient,
        open_pair(pair, driver, database_timeout_ms=HASTY_MS) as api,
    ):
        wallet = (await patient.admin.wallet("10"))["wallet_id"]

        async def assert_unavailable() -> None:
            debit, created = await asyncio.gather(
                api.admin.move("consume", wallet, "4", key=debit_key),
                api.admin.post("/wallets", opening, key=opening_key),
            )
            assert debit.status_code == created.status_code == 503, (debit.text, created.text)
            assert debit.headers["Retry-After"]

        async with pair.disconnected():
            # On a busy machine an attempt may end before it reaches the server.
            while await pair.waiting() < 2:
                await assert_unavailable()
            await assert_unavailable()
            assert await patient.admin.balance(wallet) == "10.000000"
            # An operator, or a restart, ends the wait: the commits are visible, and only on the primary.
            await pair.end_waits()
            assert await patient.admin.balance(wallet) == "6.000000"
            await assert_unavailable()
        await released(pair)
        posted(await patient.admin.move("consume", wallet, "4", key=debit_key))
        created = await patient.admin.post("/wallets", opening, key=opening_key)
        assert created.status_code == 201, created.text
        assert await patient.admin.balance(wallet) == "6.000000"


async def test_writes_that_wait_for_the_standby_leave_sessions_for_reads(pair: Pair) -> None:
    """However long it is unavailable: each write that timed out leaves a session, which the server has few of."""
    size, details = 2, list[str]()
    async with (
        open_pair(pair) as patient,
        open_pair(pair, database_timeout_ms=HASTY_MS, database_pool_size=size) as api,
    ):
        wallets = [(await patient.admin.wallet("10"))["wallet_id"] for _ in range(20)]
        async with pair.disconnected():
            for wallet in wallets:
                answer = await api.admin.move("consume", wallet, key=new_id())
                details.append(problem(answer, "unavailable")["detail"])
                if "standby" in details[-1]:
                    break
            assert "standby" in details[-1]
            assert len(details) > size
            # Those that waited for less than a second were not counted.
            assert size <= await pair.waiting() <= 2 * size
            async with asyncio.timeout(30):
                while (await api.admin.get(f"/wallets/{wallets[0]}")).status_code != 200:
                    pass  # a busy machine
        await released(pair)
        posted(await patient.admin.move("consume", wallets[-1], key=new_id()))


async def test_a_replay_costs_a_commit_only_where_a_standby_is_synchronous(
    pair: Pair, superuser: asyncpg.Connection
) -> None:
    assert await takes_part_in_replication(superuser) is False
    connection = await asyncpg.connect(pair.primary.dsn())
    assert await takes_part_in_replication(connection) is True
    await connection.close()


async def takes_part_in_replication(connection: asyncpg.Connection) -> bool:
    async with connection.transaction():
        await connection.execute("select wallet.await_replication()")
        return await connection.fetchval("select pg_current_xact_id_if_assigned() is not null")


async def test_a_standby_is_not_ready_unless_it_may_be_one(pair: Pair) -> None:
    location = pair.standby.dsn(SERVICE_LOGIN)
    async with open_pair(pair) as primary:
        key = await create_key(primary.app.state.database, "reader", ["stats:read"])
    await released(pair)
    async with open_api(location) as api:
        document = problem(await api.http.get("/health/ready"), "unavailable")
        assert "read-only" in document["detail"]
        assert "WALLET_DATABASE_ROLE" in document["detail"]
    async with open_api(location, database_role="any") as api:
        ready = await api.http.get("/health/ready")
        assert (ready.status_code, ready.json()["read_only"]) == (200, True)
        reader = Client(api.app, api.http, key)
        while (await reader.get("/wallets")).status_code == 401:
            pass  # the standby has the key, and is about to show it
        assert (await reader.get("/wallets")).status_code == 200
        # No operator reads what can't be recorded.
        assert "read-only" in problem(await api.admin.get("/wallets"), "unavailable")["detail"]
        answer = await api.admin.post("/wallets", {"user_id": new_user()})
        assert "read-only" in problem(answer, "unavailable")["detail"]


async def test_of_several_hosts_the_one_that_accepts_writes_is_used(pair: Pair, tmp_path: Path) -> None:
    """Before it in the URL: one that accepts connections and never answers, one that is not there, and a standby."""
    silent, absent = tmp_path / "silent", tmp_path / "absent"
    silent.mkdir()
    connected: list[asyncio.StreamWriter] = []
    server = await asyncio.start_unix_server(
        lambda _, writer: connected.append(writer), silent / ".s.PGSQL.5432"
    )
    hosts = ",".join(str(each) for each in (silent, absent, pair.standby.home, pair.primary.home))
    async with server:
        # A quarter of the time is the share of the silent host.
        async with open_api(
            f"postgresql://{SERVICE_LOGIN}@/{TEMPLATE}?host={hosts}", database_timeout_ms=8000
        ) as api:
            await api.admin.wallet("10")
            assert len(connected) == 1
            # The next connections go to the good host first.
            wallets = await asyncio.gather(*(api.admin.wallet("10") for _ in range(8)))
            assert len(wallets) == 8
            assert len(connected) == 1
            assert (await api.http.get("/health/ready")).json()["read_only"] is False
        for writer in connected:
            writer.close()


def hosts_of(*servers: Path) -> str:
    return f"postgresql://postgres@/{TEMPLATE}?host={','.join(map(str, servers))}"


async def test_a_failover_under_load(own_pair: Pair, own_folder: Path) -> None:
    """The primary is killed and the standby promoted. Nothing that was answered is lost or doubled."""
    pair = own_pair
    url = hosts_of(pair.standby.home, own_folder / "absent")
    for arguments in (["migrate"], ["verify"]):
        message = refused(await asyncio.to_thread(command, own_folder, *arguments, WALLET_DATABASE_URL=url))
        assert "accepts writes" in message or "no host is a primary" in message
    service = Service(own_folder, WALLET_DATABASE_URL=url, WALLET_ADMIN_KEY=ADMIN_KEY)
    try:
        await asyncio.to_thread(wait_for, lambda: "waiting_for_primary" in service.printed)
        async with open_api(hosts_of(pair.primary.home, pair.standby.home)) as api:
            load = Load.on(await funded_wallets(api.admin))
            await fail_over(api, pair, load)
            names = load.assert_each_posted_once()
            kept, balance = await postings_of(api.admin, load.wallets)
            assert kept == names
            assert balance == load.expected_total
            await assert_verified(api)
        await asyncio.to_thread(service.wait_until_ready)
        assert await asyncio.to_thread(service.status, ADMIN_KEY) == 200
    finally:
        await asyncio.to_thread(service.stop)
    lines = [json.loads(line) for line in service.printed.splitlines() if line.startswith("{")]
    assert sum(line["event"] == "waiting_for_primary" for line in lines) == 1


async def fail_over(api: Api, pair: Pair, load: Load) -> None:
    """Send the load, and the refused part of it again, while the primary is lost and the standby takes over."""
    killed = asyncio.Event()
    sending = asyncio.create_task(load.send(api.admin.post, REQUESTS // 4, killed.set))
    await killed.wait()
    await pair.primary.stop()
    await sending
    load.assert_posted_or_unavailable()
    answered = load.posted_ids
    problem(await api.http.get("/health/ready"), "unavailable")
    await pair.standby.promote()
    await until_ready(api)
    kept, _ = await postings_of(api.admin, load.wallets)
    assert answered <= kept
    for _ in range(2):
        await load.send(api.admin.post)
