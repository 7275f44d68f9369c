"""Books to read: on each supported PostgreSQL, and for HTTP on the newest."""

from collections.abc import AsyncIterator

import pytest
from conftest import FreshDatabase
from support.books import Books, open_books


@pytest.fixture
async def books(postgres_version: int, fresh_database: FreshDatabase) -> AsyncIterator[Books]:
    """Books of one test, on each version."""
    made = await fresh_database(version=postgres_version)
    async with open_books(made.dsn, made.service_dsn) as opened:
        yield opened


@pytest.fixture
async def newest_books(fresh_database: FreshDatabase) -> AsyncIterator[Books]:
    """Books of one test, on the newest version."""
    made = await fresh_database()
    async with open_books(made.dsn, made.service_dsn) as opened:
        yield opened
