"""Fixtures of the SQL of parts."""

from collections.abc import AsyncIterator

import pytest
from conftest import TestDatabase
from support.kernel.harness import Kernel

from .sql_book import SqlBook


@pytest.fixture
async def kernel(postgres: TestDatabase) -> AsyncIterator[Kernel]:
    opened = await Kernel.open(postgres.dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def book(kernel: Kernel) -> SqlBook:
    return await SqlBook.create(kernel)
