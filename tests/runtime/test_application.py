import httpx
import pytest
from support.api import Api, open_api, problem
from support.database_location import DatabaseLocation
from support.settings import make_settings

from wallet_service.core.errors import Unavailable
from wallet_service.runtime.application import create_app


@pytest.mark.parametrize("path", ["/api", "/api/v1/wallets/", "/health/", "/api/v2/wallets"])
async def test_nothing_is_elsewhere(api: Api, path: str) -> None:
    problem(await api.http.get(path), "not_found")


@pytest.mark.parametrize("root_path", ["", "/behind/a/proxy"])
async def test_the_root_leads_to_the_docs(root_path: str) -> None:
    app = create_app(make_settings(), "postgresql://unused@127.0.0.1:1/none")
    transport = httpx.ASGITransport(app, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://wallet") as browser:
        answer = await browser.get(f"{root_path}/")
        assert answer.status_code == 307
        assert answer.headers["location"] == f"{root_path}/docs"
        assert (await browser.get(answer.headers["location"])).status_code == 200


async def test_another_method_is_not_allowed(api: Api) -> None:
    problem(await api.admin.send("PUT", "/wallets"), "method_not_allowed")


async def test_when_it_stops_its_connections_are_closed(database_location: DatabaseLocation) -> None:
    async with open_api(database_location) as running:
        database = running.app.state.database
        assert (await running.http.get("/health/ready")).status_code == 200
    with pytest.raises(Unavailable):
        await database.call("read_health")
