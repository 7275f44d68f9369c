import pytest
from support.api import Api, open_api, problem
from support.database_location import DatabaseLocation

from wallet_service.core.errors import Unavailable


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1/wallets/", "/health/", "/api/v2/wallets"])
async def test_nothing_is_elsewhere(api: Api, path: str) -> None:
    problem(await api.http.get(path), "not_found")


async def test_another_method_is_not_allowed(api: Api) -> None:
    problem(await api.admin.send("PUT", "/wallets"), "method_not_allowed")


async def test_when_it_stops_its_connections_are_closed(database_location: DatabaseLocation) -> None:
    async with open_api(database_location) as running:
        database = running.app.state.database
        assert (await running.http.get("/health/ready")).status_code == 200
    with pytest.raises(Unavailable):
        await database.call("read_health")
