"""The real service as a process of its own, with one more route: an endpoint without an effect."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import APIRouter, FastAPI
from starlette.responses import Response

import wallet_service.runtime.serve
from bench.job import RowFailed
from wallet_service import cli
from wallet_service.money.callers import UsageWriter
from wallet_service.money.schemas import MoneyRequest
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.idempotency import HeaderKey
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.runtime.application import create_app

_ANSWER = (
    b'{"transaction_id":"01a1fc9e-4bdf-723a-896c-041d63b3130d","leg":0,"transaction_type":"consume",'
    b'"wallet_id":"01a1fc9e-4afd-706c-877a-03cf3e78cb57","user_id":"bench-1234","currency":"CREDIT",'
    b'"direction":"debit","amount":"1.000000","balance_before":"1000000000.000000",'
    b'"balance_after":"999999999.000000","wallet_version":2,"counter_account":"revenue:usage",'
    b'"original_transaction_id":null,"client_id":"bench","reference":"bench","description":null,"metadata":{},'
    b'"effective_at":"2026-11-21T05:39:54.977079Z","created_at":"2026-11-21T05:39:54.977079Z","legs":null,'
    b'"dry_run":false}'
)
"""As long as the response to a consume."""

_DATABASE = ("WALLET_DATABASE_URL", "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY")
_START_S = 60.0
_STOP_S = 20.0
_POLL_S = 0.02
_ROOT = Path(__file__).parent.parent

router = APIRouter(route_class=StrictRoute)


@router.post("/bench/empty/{wallet_id}", status_code=201)
async def empty(wallet_id: UUID, request: MoneyRequest, key: HeaderKey, caller: UsageWriter) -> Response:
    """Read and check the request and respond as consume does, without an effect."""
    del request, key, caller
    return JsonBytes(_ANSWER, 201, headers={"Location": f"/api/v1/transactions/{wallet_id}"})


def create_bench_app(*arguments: Any, **options: Any) -> FastAPI:
    """The service's application, for the arguments of ``create_app``, and the empty endpoint."""
    app = create_app(*arguments, **options)
    # Next to consume: routes are matched in order, and each route before it costs a little.
    paths = [getattr(route, "path", None) for route in app.router.routes]
    system = paths.index("/api/v1/wallets/{wallet_id}/consume")
    app.router.routes[system:system] = router.routes
    return app


@dataclass(frozen=True, slots=True)
class Started:
    """A service that may not be ready yet."""

    process: asyncio.subprocess.Process
    log: Path

    async def url(self) -> str:
        """Its URL, once it is ready.

        Raises:
            RowFailed: it does not start.
        """
        deadline = asyncio.get_running_loop().time() + _START_S
        while asyncio.get_running_loop().time() < deadline and self.process.returncode is None:
            said = await asyncio.to_thread(self.log.read_text)
            if found := re.search(r"ready on (http://127\.0\.0\.1:\d+)", said):
                return found[1]
            await asyncio.sleep(_POLL_S)
        said = await asyncio.to_thread(self.log.read_text)
        raise RowFailed(f"the service did not start: {said[-2000:]}")


@contextlib.asynccontextmanager
async def started_service(settings: Mapping[str, str], log: Path) -> AsyncGenerator[Started, None]:
    """Start the service on a migrated database with a key.

    It inherits the settings of the environment (``WALLET_COMMIT_LANES=1 scripts/bench``), except its address and its
    database.

    Args:
        settings: the database, and the settings of the row.
        log: the file for its log.
    """
    theirs = {name: value for name, value in os.environ.items() if name not in _DATABASE}
    ours = {
        **settings,
        "WALLET_MIGRATE_ON_START": "false",
        "WALLET_HOST": "127.0.0.1",
        "WALLET_PORT": "0",
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.service",
            cwd=_ROOT,
            env={**theirs, **ours},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C must reach this process only
        )
    try:
        yield Started(process, log)
    finally:
        await stop(process)


async def stop(process: asyncio.subprocess.Process) -> None:
    """Stop a process: SIGTERM first, SIGKILL after a while."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(sign)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _STOP_S)


def main() -> None:
    """``wallet-service serve`` with the application of the bench."""
    wallet_service.runtime.serve.create_app = create_bench_app
    sys.argv[1:] = ["serve"]
    cli.main()


if __name__ == "__main__":
    main()
