"""The SDK's clients on the application of a test: in process, and over a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from wallet_client import AsyncWalletClient

from support.api import ADMIN_KEY, Api
from support.polling import wait_until


def in_process(api: Api, api_key: str = ADMIN_KEY, **options: Any) -> AsyncWalletClient:
    """A client of the application, without a socket."""
    return AsyncWalletClient(
        "http://wallet", api_key=api_key, transport=httpx.ASGITransport(api.app), **options
    )


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """The address of the application on a socket. Its lifespan is run by the caller."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    running = asyncio.create_task(server.serve())
    await wait_until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
