"""A stop: nothing new is taken, and what is under way is answered."""

import asyncio
import signal
import time
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx
import pytest
from conftest import FreshDatabase
from support.api import ADMIN_KEY, new_user
from support.polling import wait_for_lock_waiters
from support.service import Service

CUT_OFF = 503
STOP_S = 25
"""The longest that an orchestrator has to wait after SIGTERM."""


@pytest.mark.parametrize(("grace_ms", "status"), [("20000", 201), ("200", 503)])
async def test_a_stop_answers_what_is_under_way_and_takes_nothing_new(
    fresh_database: FreshDatabase, own_folder: Path, grace_ms: str, status: int
) -> None:
    """A debit waits for a wallet that somebody else holds while the service is told to stop."""
    made = await fresh_database()
    settings = {
        "WALLET_DATABASE_URL": made.service_dsn,
        "WALLET_MIGRATE_ON_START": "false",
        "WALLET_ADMIN_KEY": ADMIN_KEY,
        "WALLET_DATABASE_TIMEOUT_MS": "20000",
        "WALLET_COMMIT_LOCK_WAIT_MS": "10000",
        "WALLET_SHUTDOWN_GRACE_MS": grace_ms,
    }
    holder = await asyncpg.connect(made.dsn)
    service = await asyncio.to_thread(lambda: Service(own_folder, **settings).wait_until_ready())
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=60) as client:
        opening = {"user_id": new_user(), "currency": "CREDIT", "initial_balance": "10"}
        wallet = (await client.post("/api/v1/wallets", json=opening)).json()["wallet_id"]
        async with holder.transaction():
            await holder.execute("select from wallet.wallets where wallet_id = $1 for update", UUID(wallet))
            debit = asyncio.create_task(
                client.post(f"/api/v1/wallets/{wallet}/consume", json={"amount": "1"})
            )
            await wait_for_lock_waiters(holder, 1)
            half, writer = await half_sent(service.url, f"/api/v1/wallets/{wallet}/consume")
            asked = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            await until_refused(service.url)
            assert (await half.read()).startswith(b"HTTP/1.1 503 ")
            writer.close()
            if status == CUT_OFF:
                await asyncio.wait([debit])
            assert debit.done() is (status == CUT_OFF)
        answer = await debit
    assert answer.status_code == status, answer.text
    if status == CUT_OFF:
        assert answer.json()["code"] == "unavailable"
    else:
        assert answer.json()["balance_after"] == "9.000000"
    assert await asyncio.to_thread(service.process.wait, STOP_S) == 0
    assert time.monotonic() - asked < STOP_S
    assert "Traceback" not in service.printed + service.errors
    await holder.close()


async def half_sent(url: str, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request whose body is asked for and never comes; its response ends with the connection."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    headers = f"Host: h\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Length: 9\r\nExpect: 100-continue"
    writer.write(f"POST {path} HTTP/1.1\r\n{headers}\r\n\r\n".encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    return reader, writer


async def until_refused(url: str) -> None:
    """Return when no new connection is taken any more."""
    async with asyncio.timeout(STOP_S):
        while True:
            try:
                async with httpx.AsyncClient() as newcomer:
                    await newcomer.get(f"{url}/health/live")
            except httpx.ConnectError:
                return
            except (httpx.RemoteProtocolError, httpx.ReadError):
                continue  # it was waiting to be taken when there was no more taking
