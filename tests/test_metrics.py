import pytest
from conftest import FreshApi
from support.api import ADMIN_KEY, problem

from wallet_service.http.auth import Scope
from wallet_service.http.keys import create_key


async def test_prometheus_reads_them(fresh_api: FreshApi) -> None:
    api = await fresh_api()
    wallet = await api.admin.wallet("10")
    for _ in range(3):
        await api.admin.move("consume", wallet["wallet_id"], "1")
    answer = await api.http.get("/metrics", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert "wallet_commit_batch_operations_sum 3.0" in lines
    assert "wallet_commit_queued_operations 0.0" in lines


@pytest.mark.parametrize("scope", ["wallets:read", "transactions:write", "stats:read"])
async def test_they_are_for_the_operator_only(fresh_api: FreshApi, scope: Scope) -> None:
    api = await fresh_api()
    key = await create_key(api.app.state.database, "service", [scope])
    problem(await api.http.get("/metrics", headers={"Authorization": f"Bearer {key}"}), "forbidden")
    problem(await api.http.get("/metrics"), "unauthorized")
