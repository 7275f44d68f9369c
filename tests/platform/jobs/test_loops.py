"""Loops of rooms in a worker."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from support.job_room.room import ROOM

from wallet_service.core.room import WorkerLoop
from wallet_service.platform.jobs import loops
from wallet_service.platform.jobs.loops import Loops


def running(monkeypatch: pytest.MonkeyPatch, loop: WorkerLoop) -> Loops:
    monkeypatch.setattr(loops, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("support.job_room.handlers.loop", loop, raising=False)
    return Loops(SimpleNamespace(name="state"), [replace(ROOM, worker_loops=("handlers:loop",))])


async def test_a_loop_that_fails_is_called_again_and_ends_when_the_worker_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []
    again = asyncio.Event()

    async def loop(state: Any, stopping: asyncio.Event) -> None:
        calls.append(state.name)
        if len(calls) < 3:
            raise RuntimeError("not yet")
        again.set()
        await stopping.wait()
        calls.append("ended")

    started = running(monkeypatch, loop)
    await again.wait()
    await started.stop(60)
    assert calls == ["state"] * 3 + ["ended"]


async def test_a_loop_that_does_not_end_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    begun = asyncio.Event()

    async def loop(_: Any, stopping: asyncio.Event) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("returned" if stopping.is_set() else "too early")

    started = running(monkeypatch, loop)
    await begun.wait()
    await started.stop(0)
    assert seen == ["returned"]
