import asyncio

import pytest

from wallet_service.platform.database.concurrency_limit import ConcurrencyLimit


async def test_who_has_a_turn_and_who_waits_can_be_seen() -> None:
    limit = ConcurrencyLimit(2)
    await limit.acquire()
    await limit.acquire()
    third = asyncio.create_task(limit.acquire())
    given_up = asyncio.create_task(limit.acquire())
    await asyncio.sleep(0)
    assert (limit.size, limit.taken, limit.waiting) == (2, 2, 2)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert (limit.taken, limit.waiting) == (2, 1)
    limit.release()
    await third
    assert (limit.taken, limit.waiting) == (2, 0)
    limit.release()
    limit.release()
    assert (limit.taken, limit.waiting) == (0, 0)
    assert not limit.locked()
