"""Both meters on the real service: over a line that breaks, and at the end of a process."""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support import http_faults as faults
from support.api import ADMIN_KEY, Api
from support.http_faults import Fault, Forward, faulty_proxy
from support.sdk import listening
from wallet_client import AsyncWalletClient, ServiceError, Transaction, WalletClient
from wallet_client.meter import AsyncUsageMeter, Unsent, Usage, UsageMeter

SOURCES = Path(__file__).parents[3] / "clients/python/src"
EVENTS = 2000
BALANCE = 1600

postgres_only = pytest.mark.parametrize("driver", ["postgres"], indirect=True)


async def late(through: Forward) -> bytes:
    """The request gets through, and its answer comes when nobody waits for it any more."""
    answer = await through()
    await asyncio.sleep(0.6)
    return answer.whole


FAULTS: tuple[Fault, ...] = (
    faults.lost_before,
    faults.lost_before,
    faults.lost_after,
    faults.lost_after,
    faults.cut,
    faults.html_instead,
    faults.fail_with(502),
    faults.fail_with(504),
    faults.refuse_with(503),
    faults.refuse_with(429),
    late,
)


@dataclass
class Told:
    """What became of each event, by its key."""

    charged: dict[str, Transaction] = field(default_factory=dict)
    refused: dict[str, ServiceError] = field(default_factory=dict)
    unsent: list[Unsent] = field(default_factory=list)

    def on_charged(self, usage: Usage, transaction: Transaction) -> None:
        assert usage.key not in self.charged
        self.charged[usage.key] = transaction

    def on_refused(self, usage: Usage, error: ServiceError) -> None:
        assert usage.key not in self.refused
        self.refused[usage.key] = error

    @property
    def callbacks(self) -> dict[str, Any]:
        return {
            "on_charged": self.on_charged,
            "on_refused": self.on_refused,
            "on_unsent": self.unsent.append,
        }


@pytest.fixture
async def wallet_id(api: Api) -> str:
    return (await api.admin.wallet(str(BALANCE)))["wallet_id"]


@dataclass(frozen=True)
class BrokenLine:
    """The service's address behind a line, and the faults that requests met on it."""

    url: str
    met: list[Fault]


@pytest.fixture
async def broken_line(api: Api) -> AsyncIterator[BrokenLine]:
    """On it every third request meets a fault."""
    met: list[Fault] = []
    chance = random.Random(6)  # noqa: S311 - the same faults each time

    async def now_and_then(through: Forward) -> bytes | None:
        if chance.random() < 0.35:
            met.append(chance.choice(FAULTS))
            return await met[-1](through)
        return (await through()).whole

    async with listening(api.app) as url, faulty_proxy(url) as line:
        line.always = now_and_then
        yield BrokenLine(line.url, met)


async def charges_are_exact(api: Api, wallet_id: str, told: Told, recorded: list[str]) -> None:
    assert told.unsent == []
    assert {error.code for error in told.refused.values()} == {"insufficient_funds"}
    assert sorted([*told.charged, *told.refused]) == sorted(recorded)
    assert len(told.charged) == BALANCE
    wallet = await api.admin.read(wallet_id)
    assert (wallet["balance"], wallet["last_entry"]) == ("0.000000", BALANCE + 1)
    assert len({transaction.transaction_id for transaction in told.charged.values()}) == BALANCE


@postgres_only
async def test_events_over_a_broken_line_are_charged_exactly(
    api: Api, broken_line: BrokenLine, wallet_id: str
) -> None:
    told = Told()

    def record_all() -> list[str]:
        with (
            WalletClient(broken_line.url, api_key=ADMIN_KEY, timeout_s=0.5, max_retries=1) as client,
            UsageMeter(client, **told.callbacks, max_batch=40, max_events=500, close_timeout_s=60) as meter,
        ):
            return [meter.record(wallet_id, 1) for _ in range(EVENTS)]

    await charges_are_exact(api, wallet_id, told, await asyncio.to_thread(record_all))
    assert faults.lost_after in broken_line.met


@postgres_only
async def test_events_of_tasks_over_a_broken_line_are_charged_exactly(
    api: Api, broken_line: BrokenLine, wallet_id: str
) -> None:
    told = Told()
    async with (
        AsyncWalletClient(broken_line.url, api_key=ADMIN_KEY, timeout_s=0.5, max_retries=1) as client,
        AsyncUsageMeter(client, **told.callbacks, max_batch=40, max_events=500, close_timeout_s=60) as meter,
    ):

        async def record() -> list[str]:
            return [await meter.record(wallet_id, 1) for _ in range(EVENTS // 10)]

        recorded = await asyncio.gather(*(record() for _ in range(10)))
    await charges_are_exact(api, wallet_id, told, [key for keys in recorded for key in keys])
    assert faults.lost_after in broken_line.met


_PROCESS = """
import os, sys
from wallet_client import WalletClient
from wallet_client.meter import MeterClosed, UsageMeter

url, key, wallet_id, end = sys.argv[1:]

def told(*what):
    print("callback", *what, flush=True)

client = WalletClient(url, api_key=key, max_retries=0)
meter = UsageMeter(client, on_refused=told, on_unsent=lambda unsent: print("unsent", unsent.usage.key, flush=True),
    max_delay_s=60, close_timeout_s=20 if end != "away" else 0.3)
for number in range(25):
    meter.record(wallet_id, 1, idempotency_key=f"{end}-{number}")
if end == "fork":
    child = os.fork()
    if child == 0:
        try:
            meter.record(wallet_id, 1)
        except MeterClosed:
            assert meter.close() == []
            sys.exit(7)  # with what is registered for the end of the process
    print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
if end == "error":
    raise ValueError("of the caller")
"""


@postgres_only
@pytest.mark.parametrize("end", ["plain", "error", "fork", "away"])
async def test_the_end_of_a_process_sends_what_is_pending(api: Api, wallet_id: str, end: str) -> None:
    async with listening(api.app) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore::DeprecationWarning", "-c", _PROCESS),
            *(url if end != "away" else "http://127.0.0.1:9", ADMIN_KEY, wallet_id, f"{end}"),
            env={**os.environ, "PYTHONPATH": str(SOURCES)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await asyncio.wait_for(process.communicate(), 60)
    said = out.decode().splitlines()
    assert (process.returncode, b"ValueError: of the caller" in errors) == (
        int(end == "error"),
        end == "error",
    )
    left = [f"unsent away-{number}" for number in range(25)] if end == "away" else []
    assert sorted(said) == sorted([*left, *(["child 7"] if end == "fork" else [])])
    charged = 0 if end == "away" else 25
    assert await api.admin.balance(wallet_id) == f"{BALANCE - charged}.000000"
