"""How the HTTP server is set up, which its speed depends on."""

import asyncio
import gc
from collections.abc import Iterator

import pytest
import simplejson.encoder
import uvloop
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from wallet_service import cli
from wallet_service.app import create_app
from wallet_service.http.body import StrictRoute
from wallet_service.http.logging import configure_logging
from wallet_service.serve import _bound, _Server
from wallet_service.settings import Settings

SETTINGS = Settings(port=0, keep_alive_ms=90_000)


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

    monkeypatch.setattr("wallet_service.serve.serve", serve)
    monkeypatch.setattr(cli, configure_logging.__name__, lambda _level, **_: None)
    cli.serve()
    assert [type(loop) for loop in loops] == [uvloop.Loop]


@pytest.mark.usefixtures("collector")
async def test_the_server_parses_with_httptools_and_leaves_the_collector_little() -> None:
    server = _Server(SETTINGS, FastAPI())
    frozen: list[int] = []

    def announced() -> None:
        frozen.append(gc.get_freeze_count())
        server.should_exit = True

    server.announce = announced
    with _bound(SETTINGS) as listener:
        await server.run_on(listener)
    assert server.config.http_protocol_class is HttpToolsProtocol
    assert server.config.timeout_keep_alive == 90
    assert frozen[0] > 10_000
    assert gc.get_threshold()[0] == 10_000


def test_json_for_the_database_is_written_in_c() -> None:
    # None where the extension was not built, and everything works, at a tenth of the speed.
    assert vars(simplejson.encoder)["c_make_encoder"] is not None


def test_every_route_is_found_without_included_routers() -> None:
    routes = create_app(SETTINGS, "postgresql://nobody@nowhere/none").routes
    assert len(routes) > 30
    assert {type(route) for route in routes} <= {Route, Mount, APIRoute, StrictRoute}
