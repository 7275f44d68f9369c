"""The SQL of docs/examples says what is written beside it. UPDATE_PAGES=1 writes what it says."""

import asyncio
import os
import subprocess
from pathlib import Path

from support.api import open_api
from support.cluster import SUPPORTED, binaries
from support.supabase_project import OWNER, create_project, project_cluster

from wallet_service.platform.database.migrate import migrate
from wallet_service.rooms import ROOMS

FOLDER = Path(__file__).parent.parent / "docs" / "examples"
WALLET = "0199f0a0-0000-7000-8000-000000000001"


def said(dsn: str, script: Path) -> str:
    psql = subprocess.run(
        [binaries(SUPPORTED[0]) / "psql", "-X", "-q", "-a", "-f", script.name, dsn],
        cwd=script.parent,
        env={"LC_ALL": "C.UTF-8", "PGOPTIONS": "-c client_min_messages=warning"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return psql.stdout


async def test_a_shop_spends_in_its_own_transaction(postgres_version: int) -> None:
    """As the user whom Supabase gives to its customers, who is no superuser."""
    cluster = await project_cluster(postgres_version)
    database = await create_project(cluster)
    owner = cluster.dsn(database, OWNER)
    await migrate(owner, ROOMS)
    script = FOLDER / "orders.sql"
    shown = script.with_suffix(".sql.out")

    output = await asyncio.to_thread(said, owner, script)

    if os.environ.get("UPDATE_PAGES") == "1":
        shown.write_text(output)
    assert shown.read_text() == output
    async with open_api(
        cluster.dsn(database)
    ) as api:  # callers of HTTP share the kernel: same money, same keys
        assert await api.admin.balance(WALLET) == "70.000000"
        shop = await api.service("transactions:write", "wallets:read", name="shop")
        again = await shop.move("consume", WALLET, "30", key="order-0199f0a0-0000-7000-8000-00000000000a")
        assert again.headers["Idempotency-Replayed"] == "true"
        assert await api.admin.balance(WALLET) == "70.000000"
