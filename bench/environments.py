"""Environments of a service, started for a run: Consul, Redis and an upstream service; a receiver of spans."""

import asyncio
import contextlib
import importlib.util
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

from aiohttp import web
from support.cluster import ServiceMissingError
from support.consul_agent import ConsulAgent
from support.external_programs import program
from support.redis_server import redis_server
from support.stand_in import stand_in

from bench.job import RowFailed
from bench.plan import Where
from bench.rest import programs_folder

_NEVER_REACHED = "1000000000"
"""Tokens of a window: the limits are counted and refuse no request."""


@contextlib.asynccontextmanager
async def _production() -> AsyncGenerator[Mapping[str, str], None]:
    """Registration and discovery in Consul, limits shared through Redis, users verified by the account service."""
    for name in ("consul", "redis-server"):
        program(name)
    with programs_folder():
        async with contextlib.AsyncExitStack() as stack:
            agent = ConsulAgent()
            stack.callback(agent.close)
            try:
                await asyncio.to_thread(agent.start)
                redis = await stack.enter_async_context(redis_server())
                upstreams = await stack.enter_async_context(stand_in())
                await asyncio.to_thread(agent.add, "account_service", urlsplit(upstreams.url).port or 0)
            except (AssertionError, TimeoutError) as error:
                raise RowFailed(f"the environment of the service does not start: {error}") from error
            yield {
                "WALLET_CONSUL_URL": agent.url,
                "WALLET_CONSUL_LEAVE_PAUSE_MS": "0",
                "WALLET_REDIS_URL": redis.url,
                "WALLET_RATE_LIMIT_CLIENT_TOKENS": _NEVER_REACHED,
                "WALLET_RATE_LIMIT_USER_TOKENS": _NEVER_REACHED,
                "WALLET_VERIFY_USERS": "true",
            }


@contextlib.asynccontextmanager
async def _traced() -> AsyncGenerator[Mapping[str, str], None]:
    """Spans with the default sampling, sent to a server that drops them."""
    if importlib.util.find_spec("opentelemetry.sdk") is None:
        raise ServiceMissingError("the extra otel is not installed")

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(content_type="application/x-protobuf")

    sink = web.Application()
    sink.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(sink, access_log=None, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield {
            "WALLET_TRACING": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{runner.addresses[0][1]}",
        }
    finally:
        await runner.cleanup()


ENVIRONMENTS: Mapping[Where, Callable[[], AbstractAsyncContextManager[Mapping[str, str]]]] = {
    "production": _production,
    "traced": _traced,
}
"""The environments by name. Each starts its programs and yields the settings of the service.

Each raises ServiceMissingError where a program or a package is missing, and RowFailed where one does not start.
"""
