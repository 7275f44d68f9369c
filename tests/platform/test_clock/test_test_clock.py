"""A clock of the ledger that callers set: only with the setting, only forwards."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from conftest import FreshApi, FreshDatabase, Locate, TestDatabase
from support.api import Api, Client, open_api, posted, problem
from support.sdk import in_process
from support.settings import make_settings

from wallet_service.core.settings import SettingsError
from wallet_service.platform.auth.keys import create_key
from wallet_service.platform.database.migrate import migrate
from wallet_service.rooms import ROOMS

PATH = "/test-clock"


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> TestDatabase:
    """A database whose clock can be set."""
    made = await fresh_database()
    await migrate(made.dsn, ROOMS, test_clock=True)
    return made


@pytest.fixture
async def api(database: TestDatabase, locate_database: Locate) -> AsyncIterator[Api]:
    async with open_api(
        await locate_database(database), test_clock=True, environment="development"
    ) as opened:
        yield opened


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_it_is_set_and_advances_and_postings_follow(api: Api) -> None:
    start = (await api.admin.get(PATH)).json()
    assert start["is_set"] is False
    wallet = (await api.admin.wallet("10"))["wallet_id"]
    changed = await api.admin.post(PATH, {"moment": "2031-01-31T12:00:00Z"})
    assert changed.json() == {"moment": "2031-01-31T12:00:00.000000Z", "is_set": True}
    first = moment_of(posted(await api.admin.move("consume", wallet, "1"))["created_at"])
    assert first >= moment_of("2031-01-31T12:00:00Z")
    await api.admin.post(PATH, {"advance_s": 86400})
    entries = (await api.admin.get("/audit", action="test_clock.set")).json()["items"]
    assert [entry["actor"] for entry in entries] == ["client:admin", "client:admin"]
    assert entries[1]["after"] == changed.json()
    second = moment_of(posted(await api.admin.move("consume", wallet, "1"))["created_at"])
    assert second - first >= timedelta(days=1)
    assert second - first < timedelta(days=2)  # it goes on from where it was set
    balance = await api.admin.get(f"/wallets/{wallet}/balance", at="2031-02-01T00:00:00Z")
    assert balance.json()["balance"] == "9.000000"


async def test_the_client_sets_and_advances_it(api: Api) -> None:
    async with in_process(api) as client:
        assert not (await client.test_clock.get()).is_set
        set_to = await client.test_clock.set("2031-01-31T12:00:00Z")
        assert (set_to.is_set, set_to.moment.year) == (True, 2031)
        later = await client.test_clock.advance(timedelta(days=365))
        assert later.moment - set_to.moment >= timedelta(days=365)


async def test_keys_expire_by_it_on_every_instance(
    api: Api, database: TestDatabase, locate_database: Locate
) -> None:
    """On the one that set it at once, although it remembers the key; on the other when it looks the key up again."""
    async with open_api(
        await locate_database(database), test_clock=True, environment="development", key_cache_ms=0
    ) as other:
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        key = await create_key(api.app.state.database, "meter", ["wallets:read"], tomorrow)
        clients = [Client(each.app, each.http, key) for each in (api, other)]
        for client in clients:
            assert (await client.get("/currencies")).status_code == 200
        await api.admin.post(PATH, {"advance_s": 23 * 3600})
        for client in clients:
            assert (await client.get("/currencies")).status_code == 200
        await api.admin.post(PATH, {"advance_s": 2 * 3600})
        for client in clients:
            document = problem(await client.get("/currencies"), "unauthorized")
            assert document["detail"] == "The key has expired"


@pytest.mark.parametrize(
    "body",
    [
        {"moment": "2020-01-01T00:00:00Z"},
        {"moment": "9999-06-01T00:00:00Z"},
        {"advance_s": 0},
        {"advance_s": -1},
        {"advance_s": True},
        {"advance_s": "5"},
        {"advance_s": 10**12},
        {"moment": "2031-01-01T00:00:00Z", "advance_s": 1},
        {},
        {"moment": "tomorrow"},
    ],
)
async def test_backwards_and_other_nonsense_is_refused(api: Api, body: dict[str, object]) -> None:
    problem(await api.admin.post(PATH, body), "validation_failed")
    assert (await api.admin.get(PATH)).json()["is_set"] is False


async def test_only_the_operator_sets_it(api: Api) -> None:
    service = await api.service("wallets:write", "transactions:write")
    problem(await service.post(PATH, {"advance_s": 1}), "forbidden")
    problem(await api.user().get(PATH), "forbidden")


async def test_without_the_setting_there_is_no_such_path(fresh_api: FreshApi) -> None:
    opened = await fresh_api()
    problem(await opened.admin.get(PATH), "not_found")
    problem(await opened.admin.post(PATH, {"advance_s": 1}), "not_found")


async def test_a_database_without_the_clock_refuses(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    async with open_api(
        await locate_database(await fresh_database()), test_clock=True, environment="development"
    ) as opened:
        problem(await opened.admin.post(PATH, {"advance_s": 1}), "test_clock_missing")


async def test_a_service_without_the_setting_is_not_ready_on_such_a_database(
    database: TestDatabase, locate_database: Locate
) -> None:
    """Where ``migrate`` runs separately, a mistake there would give production a clock that callers have set."""
    place = await locate_database(database)
    async with open_api(place, environment="production") as opened:
        answer = await opened.http.get("/health/ready")
        assert "test clock" in problem(answer, "unavailable")["detail"]
        await migrate(database.dsn, ROOMS)
        assert (await opened.http.get("/health/ready")).status_code == 200


async def test_a_migration_without_the_setting_restores_the_real_clock(database: TestDatabase) -> None:
    connection = await asyncpg.connect(database.dsn)
    try:
        await connection.execute("select wallet_api.set_test_clock(p_moment => '2040-01-01T00:00:00Z')")
        year = "select extract(year from wallet.clock())::integer"
        assert await connection.fetchval(year) == 2040
        assert "wallet.clock" in (await migrate(database.dsn, ROOMS)).functions_replaced
        assert await connection.fetchval(year) < 2040
    finally:
        await connection.close()


def test_production_refuses_the_setting() -> None:
    with pytest.raises(SettingsError, match="WALLET_TEST_CLOCK"):
        make_settings(test_clock=True, environment="production")
