import asyncio

import pytest

from wallet_service.platform.database.concurrency_limit import Turns


async def test_who_has_a_turn_and_who_waits_can_be_seen() -> None:
    turns = Turns(2)
    await turns.acquire()
    await turns.acquire()
    third = asyncio.create_task(turns.acquire())
    given_up = asyncio.create_task(turns.acquire())
    await asyncio.sleep(0)
    assert (turns.size, turns.taken, turns.waiting) == (2, 2, 2)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert (turns.taken, turns.waiting) == (2, 1)
    turns.release()
    await third
    assert (turns.taken, turns.waiting) == (2, 0)
    turns.release()
    turns.release()
    assert (turns.taken, turns.waiting) == (0, 0)
    assert not turns.locked()
