"""The application with its checks on, under each policy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.access_checks import OpenApi
from support.api import Api
from support.api import open_api as open_any_api
from support.database_location import DatabaseLocation
from support.stand_in import StandIn


@pytest.fixture
def open_api(database_location: DatabaseLocation, upstreams: StandIn) -> OpenApi:
    """The application with checks, and these settings beside."""

    @asynccontextmanager
    async def opening(**settings: Any) -> AsyncIterator[Api]:
        urls = {"account_url": upstreams.url, "organization_url": upstreams.url}
        given = {"verify_users": True, "upstream_set_aside_ms": 0}
        async with open_any_api(database_location, **urls | given | settings) as opened:
            yield opened

    return opening


@pytest.fixture
async def api(open_api: OpenApi) -> AsyncIterator[Api]:
    async with open_api() as opened:
        yield opened


@pytest.fixture
async def lenient(open_api: OpenApi) -> AsyncIterator[Api]:
    async with open_api(upstream_unavailable_policy="allow") as opened:
        yield opened


@pytest.fixture
async def strict(open_api: OpenApi) -> AsyncIterator[Api]:
    async with open_api(upstream_unavailable_policy="deny") as opened:
        yield opened
