"""The upstreams, and a clock for what is remembered of them."""

from collections.abc import AsyncIterator

import pytest
from support.stand_in import StandIn, stand_in
from support.upstreams import ManualClock


@pytest.fixture
async def upstreams() -> AsyncIterator[StandIn]:
    """All the upstreams, as a stand-in of this test."""
    async with stand_in() as opened:
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    """Seconds that pass when the test says."""
    return ManualClock()
