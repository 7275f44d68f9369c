"""How the HTTP server is set up, which its speed depends on; and a start beside a newer release."""

import asyncio
import gc
import json
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
import simplejson.encoder
import uvloop
from conftest import FreshDatabase
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route
from support.api import ADMIN_KEY, new_user
from support.sample_releases import following
from support.service import KEY, command, refused, serving
from support.settings import make_settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from wallet_service import __version__, cli
from wallet_service.platform.database.dsns import Dsns
from wallet_service.platform.database.migrate import latest_migration, migrate
from wallet_service.platform.http_server.metrics import ConnectionMetrics
from wallet_service.platform.http_server.protocol import Connection
from wallet_service.platform.telemetry.logging import configure_logging
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.metrics import RequestMetrics
from wallet_service.platform.web.settings import WebSettings
from wallet_service.rooms import ROOMS
from wallet_service.runtime.application import create_app
from wallet_service.runtime.serve import Server, _first_key, bound_socket

SETTINGS = make_settings(port=0)


@pytest.fixture
def collector() -> Iterator[None]:
    """Python's own collector, as it was before."""
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_the_loop_is_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve(*_: object) -> None:
        loops.append(asyncio.get_running_loop())

    monkeypatch.setattr("wallet_service.runtime.serve.serve", serve)
    monkeypatch.setattr(cli, configure_logging.__name__, lambda _level, **_: None)
    cli.serve()
    assert [type(loop) for loop in loops] == [uvloop.Loop]


@pytest.mark.usefixtures("collector")
async def test_the_server_parses_with_httptools_and_leaves_the_collector_little() -> None:
    app = FastAPI()
    app.state.worker, app.state.when_stopping = None, []
    app.state.request_metrics, app.state.connection_metrics = RequestMetrics(), ConnectionMetrics()
    server = Server(SETTINGS, app)
    frozen: list[int] = []

    def announced() -> None:
        frozen.append(gc.get_freeze_count())
        server.should_exit = True

    server.on_started = announced
    with bound_socket(SETTINGS[WebSettings].host, SETTINGS[WebSettings].port) as listener:
        await server.run_on(listener)
    assert server.config.http_protocol_class is Connection
    assert issubclass(Connection, HttpToolsProtocol)
    assert frozen[0] > 10_000
    assert gc.get_threshold()[0] == 10_000


def test_json_for_the_database_is_written_in_c() -> None:
    # None where the extension was not built, and everything works, at a tenth of the speed.
    assert vars(simplejson.encoder)["c_make_encoder"] is not None


def test_every_route_is_found_without_included_routers() -> None:
    routes = create_app(SETTINGS, "postgresql://nobody@nowhere/none").routes
    assert len(routes) > 30
    assert {type(route) for route in routes} <= {Route, Mount, APIRoute, StrictRoute}


async def test_a_key_that_the_first_start_could_not_show_is_printed_at_its_end(
    fresh_database: FreshDatabase,
) -> None:
    dsns, printed = Dsns(None, (await fresh_database()).service_dsn, "here"), list[str]()
    with pytest.raises(OSError, match="no port"):
        async with _first_key(SETTINGS, dsns, printed.append):
            raise OSError("no port")
    assert [KEY.search(line) is not None for line in printed] == [True]
    async with _first_key(SETTINGS, dsns, printed.append) as key:
        assert key.take() is None
    assert len(printed) == 1


def debits_and_warnings(dsn: str, folder: Path) -> tuple[str, list[dict[str, str]]]:
    """A service that migrates at its start, as it does by default: a balance after a debit, and what it warned of."""
    with serving(folder, WALLET_DATABASE_URL=dsn, WALLET_ADMIN_KEY=ADMIN_KEY) as service:
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        with httpx.Client(base_url=f"{service.url}/api/v1", headers=headers) as caller:
            opening = {"user_id": new_user(), "initial_balance": "10"}
            made = caller.post("/wallets", json=opening, headers={"Idempotency-Key": "opening"})
            path = f"/wallets/{made.json()['wallet_id']}"
            debit = caller.post(f"{path}/consume", json={"amount": "4"}, headers={"Idempotency-Key": "debit"})
            assert debit.status_code == 201, debit.text
            balance = caller.get(path).json()["balance"]
    lines = [json.loads(line) for line in service.printed.splitlines() if line.startswith("{")]
    return balance, [line for line in lines if line["level"] not in {"debug", "info"}]


async def test_it_serves_without_an_index_that_can_not_be_built(
    fresh_database: FreshDatabase, own_folder: Path
) -> None:
    database = await fresh_database()
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(
        "drop index wallet.wallets_unverified; create view wallet.wallets_unverified as select"
    )
    await connection.close()

    balance, (warning,) = await asyncio.to_thread(debits_and_warnings, database.dsn, own_folder)
    said = refused(await asyncio.to_thread(command, own_folder, "migrate", WALLET_DATABASE_URL=database.dsn))

    assert balance == "6.000000"
    assert (warning["event"], warning["level"]) == ("index_not_built", "warning")
    assert "membership/sql/indexes.sql: index wallet.wallets_unverified can't be built" in warning["error"]
    assert warning["error"] in said


@pytest.mark.parametrize("ahead", ["a migration", "its functions alone"])
async def test_a_release_serves_from_a_database_that_a_newer_one_has_migrated(
    fresh_database: FreshDatabase, own_folder: Path, tmp_path: Path, ahead: str
) -> None:
    database = await fresh_database()
    newer = following(tmp_path) if ahead == "a migration" else ROOMS
    await migrate(database.dsn, newer, release="99.0.0")
    there = f"{int(latest_migration(ROOMS)) + (ahead == 'a migration'):04}"

    balance, (warning,) = await asyncio.to_thread(debits_and_warnings, database.dsn, own_folder)
    said = refused(await asyncio.to_thread(command, own_folder, "migrate", WALLET_DATABASE_URL=database.dsn))

    assert balance == "6.000000"
    assert (warning["event"], warning["level"]) == ("database_is_newer", "warning")
    assert (warning["release"], warning["migration"]) == (__version__, latest_migration(ROOMS))
    assert (warning["database_release"], warning["database_migration"]) == ("99.0.0", there)
    assert (
        "the database has migration" if there != latest_migration(ROOMS) else "release 99.0.0 has"
    ) in said
    assert "restore the backup" in said
    assert "migrate with release 99.0.0 or a newer one" in said
