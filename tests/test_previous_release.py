"""The newest release serves from a database that this code has migrated; its table scripts are not edited."""

import secrets
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import LEFT_OUT, FreshDatabase, TestDatabase
from support.api import ADMIN_KEY
from support.event_order import Reader, finish
from support.kernel.harness import Kernel
from support.previous_release import ROOT, NoHistoryError, Release, newest_release
from support.service import serving

from wallet_service.platform.database.migrate import migrate
from wallet_service.rooms import ROOMS


@pytest.fixture(scope="module")
def release() -> Release:
    try:
        return newest_release()
    except NoHistoryError as missing:
        pytest.skip(f"{LEFT_OUT}the previous release: {missing}")


def scripts(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (root / "wallet_service").rglob("sql/migrations/*.sql")}


def test_its_table_scripts_are_as_they_were(release: Release) -> None:
    now = scripts(ROOT)
    assert {name: now.get(name) for name in scripts(release.folder)} == scripts(release.folder)


async def test_it_serves_from_a_database_that_this_code_migrated(
    release: Release, fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    made = await fresh_database(empty=True)
    await migrate(made.dsn, ROOMS)
    command = [str(release.python), "-P", "-m", "wallet_service"]
    settings = {
        "PYTHONPATH": str(release.folder),
        "WALLET_DATABASE_URL": made.dsn,
        "WALLET_ADMIN_KEY": ADMIN_KEY,
    }
    with serving(tmp_path, command, **settings) as service:
        await use(service.url)
    await check_events(made)


async def check_events(made: TestDatabase) -> None:
    """What it posted has its events, one for each entry."""
    kernel = await Kernel.open(made.dsn)
    try:
        reader = Reader(kernel)
        await finish(reader)
        assert sum(event.type == "transaction.posted" for event in reader.seen) == 7
    finally:
        await kernel.close()


async def use(url: str) -> None:
    """Each kind of call once, by HTTP as callers of that release make it."""
    user = f"user-{secrets.token_hex(4)}"
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers=headers) as client:

        async def post(path: str, **body: Any) -> Any:
            answer = await client.post(path, json=body)
            assert answer.is_success, answer.text
            return answer.json()

        async def get(path: str) -> Any:
            answer = await client.get(path)
            assert answer.is_success, answer.text
            return answer.json()

        wallet = (await post("/wallets", user_id=user, currency="EUR", initial_balance="10"))["wallet_id"]
        other = (await post("/wallets", user_id=user, currency="EUR", name="other"))["wallet_id"]
        spent = await post(f"/wallets/{wallet}/consume", amount="2.50", idempotency_key="once")
        assert await post(f"/wallets/{wallet}/consume", amount="2.50", idempotency_key="once") == spent
        await post(f"/wallets/{wallet}/transfer", amount="1", to_wallet_id=other)
        await post(f"/transactions/{spent['transaction_id']}/refund", amount="0.50")
        batch = [
            {"type": "fee", "wallet_id": wallet, "amount": "1"},
            {"type": "reward", "wallet_id": other, "amount": "3"},
        ]
        results = (await post("/transactions/batch", operations=batch))["results"]
        assert [each["status"] for each in results] == ["posted", "posted"]
        assert (await get(f"/wallets/{wallet}/balance"))["balance"] == "6.00"
        assert (await get(f"/wallets/{other}"))["balance"] == "4.00"
        assert len((await get(f"/users/{user}/transactions"))["items"]) == 7
        assert await get(f"/wallets/{wallet}/statistics?from=2026-01-01T00:00:00Z")
        assert (await client.patch(f"/wallets/{other}", json={"name": "renamed"})).is_success
