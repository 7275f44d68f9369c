import asyncio

import asyncpg
import httpx
import pytest
from conftest import FreshDatabase, Locate
from prometheus_client import CollectorRegistry
from support.api import Api, open_api, posted, problem
from support.polling import wait_for_lock_waiters, wait_until
from support.sdk import listening

from wallet_service import __version__
from wallet_service.core.errors import Unavailable
from wallet_service.platform.database.gateway import Database, Param
from wallet_service.platform.database.migrate import migrate
from wallet_service.platform.database.sql_files import exposed_functions, latest_migration
from wallet_service.rooms import ROOMS
from wallet_service.runtime.health import Readiness, measured_readiness

OPEN = ("/health", "/health/live", "/health/ready")


@pytest.mark.parametrize("path", OPEN)
async def test_health_needs_no_key(api: Api, path: str) -> None:
    answer = await api.http.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "ok"
    assert answer.json()["version"] == __version__


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_ready_names_the_newest_migration(api: Api, path: str) -> None:
    assert (await api.http.get(path)).json()["migration"] == latest_migration(ROOMS)


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_not_ready_without_migrations(
    fresh_database: FreshDatabase, locate_database: Locate, path: str
) -> None:
    empty = await fresh_database(empty=True)
    async with open_api(await locate_database(empty)) as opened:
        problem(await opened.http.get(path), "unavailable")
        assert (await opened.http.get("/health/live")).status_code == 200


async def test_not_ready_behind_the_newest_migration(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    made = await fresh_database()
    connection = await asyncpg.connect(made.dsn)
    await connection.execute("delete from wallet.migrations where number = $1", latest_migration(ROOMS))
    await connection.close()
    async with open_api(await locate_database(made)) as opened:
        document = problem(await opened.http.get("/health/ready"), "unavailable")
        assert "migrat" in document["detail"]


async def test_not_ready_without_a_server_and_still_alive(tmp_path_factory: pytest.TempPathFactory) -> None:
    nowhere = f"postgresql://nobody@/nothing?host={tmp_path_factory.mktemp('nowhere')}"
    async with open_api(nowhere) as opened:
        answer = await opened.http.get("/health/ready")
        problem(answer, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert (await opened.http.get("/health/live")).status_code == 200


async def test_the_service_asks_itself(api: Api) -> None:
    assert api.app.state.metrics.get_sample_value("wallet_ready") is not None


class Moody(Database):
    """CachedResponses as another does, or fails as it is told to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.error: Exception | None = None

    async def call(self, function: str, /, **params: Param) -> bytes:
        if self.error is not None:
            raise self.error
        return await self._database.call(function, **params)

    async def close(self) -> None: ...


async def test_what_is_shown_follows_the_database_through_failures_of_any_kind(api: Api) -> None:
    registry, database = CollectorRegistry(), Moody(api.app.state.database)

    def shown() -> float | None:
        return registry.get_sample_value("wallet_ready")

    async with measured_readiness(Readiness(database, ROOMS), registry, every_s=0):
        for error in (Unavailable(), ValueError("no error of the database")):
            await wait_until(lambda: shown() == 1)
            database.error = error
            await wait_until(lambda: shown() == 0)
            database.error = None
        await wait_until(lambda: shown() == 1)


async def test_a_stop_does_not_wait_for_the_answer(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    made = await fresh_database()
    connection = await asyncpg.connect(made.dsn)
    async with open_api(await locate_database(made)) as opened:
        readiness = opened.app.state.readiness
        async with connection.transaction():
            await connection.execute("lock table wallet.migrations in access exclusive mode")
            # A call is given up after 5 s.
            async with asyncio.timeout(2), measured_readiness(readiness, CollectorRegistry(), every_s=0):
                await wait_for_lock_waiters(connection, 1)
    await connection.close()


async def test_a_function_that_can_not_be_called_is_named_until_migrate_repairs_it(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    made = await fresh_database()
    connection = await asyncpg.connect(made.dsn)
    async with open_api(await locate_database(made)) as opened:
        wallet_id = (await opened.admin.wallet("10"))["wallet_id"]
        for damage in (
            "drop function wallet_api.post_transactions",
            "alter function wallet_api.post_transactions security invoker",
            "alter function wallet_api.post_transactions owner to current_user",
            "revoke execute on function wallet_api.post_transactions from wallet_service, service_role",
        ):
            await connection.execute(damage)
            document = problem(await opened.http.get("/health/ready"), "unavailable")
            assert "wallet_api.post_transactions" in document["detail"], damage
            assert "wallet-service migrate" in document["detail"]
            await migrate(made.dsn, ROOMS)
            assert (await opened.http.get("/health/ready")).is_success, damage
            posted(await opened.admin.move("consume", wallet_id, "1"))
    await connection.close()


async def test_of_many_missing_functions_some_are_named(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    made = await fresh_database()
    connection = await asyncpg.connect(made.dsn)
    await connection.execute(
        "revoke execute on all functions in schema wallet_api from wallet_service, service_role"
    )
    await connection.execute(
        "grant execute on function wallet_api.read_health to wallet_service, service_role"
    )
    await connection.close()
    async with open_api(await locate_database(made)) as opened:
        detail = problem(await opened.http.get("/health/ready"), "unavailable")["detail"]
    others = len(exposed_functions(ROOMS)) - 1
    assert f" and {others - 5} more. Run wallet-service migrate" in detail


@pytest.mark.parametrize("path", OPEN)
async def test_health_answers_head_and_options(direct_api: Api, path: str) -> None:
    full = await direct_api.http.get(path)
    async with listening(direct_api.app) as url, httpx.AsyncClient(base_url=url) as http:
        head = await http.head(path)
        options = await http.options(path)
        refused = await http.post(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == full.headers["Content-Type"]
    assert head.headers["Content-Length"] == full.headers["Content-Length"]
    assert (options.status_code, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_head_reports_that_the_service_is_not_ready(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    nowhere = f"postgresql://unused@/nothing?host={tmp_path_factory.mktemp('nowhere')}"
    async with open_api(nowhere) as opened:
        assert (await opened.http.head("/health/ready")).status_code == 503
        assert (await opened.http.head("/health/live")).status_code == 200
