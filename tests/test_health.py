import asyncpg
import pytest
from conftest import FreshDatabase, Reach
from support.api import Api, open_api, problem

from wallet_service import __version__
from wallet_service.database.sql_files import latest_migration

OPEN = ("/health", "/health/live", "/health/ready")


@pytest.mark.parametrize("path", OPEN)
async def test_health_needs_no_key(api: Api, path: str) -> None:
    answer = await api.http.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "ok"
    assert answer.json()["version"] == __version__


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_ready_names_the_newest_migration(api: Api, path: str) -> None:
    assert (await api.http.get(path)).json()["migration"] == latest_migration()


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_not_ready_without_migrations(fresh_database: FreshDatabase, reach: Reach, path: str) -> None:
    empty = await fresh_database(empty=True)
    async with open_api(await reach(empty)) as opened:
        problem(await opened.http.get(path), "unavailable")
        assert (await opened.http.get("/health/live")).status_code == 200


async def test_not_ready_behind_the_newest_migration(fresh_database: FreshDatabase, reach: Reach) -> None:
    made = await fresh_database()
    connection = await asyncpg.connect(made.dsn)
    await connection.execute("delete from wallet.migrations where number = $1", latest_migration())
    await connection.close()
    async with open_api(await reach(made)) as opened:
        document = problem(await opened.http.get("/health/ready"), "unavailable")
        assert "migrat" in document["detail"]


async def test_not_ready_without_a_server_and_still_alive(tmp_path_factory: pytest.TempPathFactory) -> None:
    nowhere = f"postgresql://nobody@/nothing?host={tmp_path_factory.mktemp('nowhere')}"
    async with open_api(nowhere) as opened:
        answer = await opened.http.get("/health/ready")
        problem(answer, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert (await opened.http.get("/health/live")).status_code == 200
