"""Opens the client of the payment service when it is first used."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from wallet_service.billing.top_ups.metrics import TopUpMetrics
from wallet_service.core.room import RoomContext

if TYPE_CHECKING:  # imports that only a process needs that charges
    from wallet_service.platform.upstreams.payments import PaymentClient


class Payments:
    """The payment service, as ``state.payments``. Its client is opened at the first use: most processes charge nothing.

    Args:
        context: of the application.
        stack: closes the client.
    """

    def __init__(self, context: RoomContext, stack: AsyncExitStack) -> None:
        self._context = context
        self._stack = stack
        self._opening = asyncio.Lock()
        self._client: PaymentClient | None = None

    async def client(self) -> "PaymentClient":
        """The client.

        Raises:
            SettingsError: the settings for Consul can't be used.
        """
        async with self._opening:
            if self._client is None:
                self._client = await self._open()
            return self._client

    async def _open(self) -> "PaymentClient":
        # Imports, httpx among them, that take a third of a second.
        from wallet_service.platform.upstreams.client import UpstreamClient  # noqa: PLC0415
        from wallet_service.platform.upstreams.discovery import PAYMENT  # noqa: PLC0415
        from wallet_service.platform.upstreams.metrics import upstream_metrics  # noqa: PLC0415
        from wallet_service.platform.upstreams.payments import PaymentClient  # noqa: PLC0415
        from wallet_service.platform.upstreams.settings import UpstreamSettings  # noqa: PLC0415
        from wallet_service.platform.upstreams.tracing import CallSpans  # noqa: PLC0415
        from wallet_service.platform.upstreams.watch import only, upstream_discovery  # noqa: PLC0415

        context = self._context
        discovery = await self._stack.enter_async_context(
            upstream_discovery(context.settings, only(PAYMENT), metrics=context.state.consul_metrics)
        )
        client = PaymentClient(
            UpstreamClient(
                PAYMENT,
                discovery,
                timeout_s=context.settings[UpstreamSettings].upstream_timeout_ms / 1000,
                metrics=upstream_metrics(context.state, context.metrics),
                spans=None if context.tracer is None else CallSpans(context.tracer),
            )
        )
        self._stack.push_async_callback(client.close)
        return client


@asynccontextmanager
async def open_top_ups(context: RoomContext) -> AsyncGenerator[None]:
    """The payment service, as ``state.payments``, and the metrics of top-ups, as ``state.top_up_metrics``."""
    context.state.top_up_metrics = TopUpMetrics(context.metrics)
    async with AsyncExitStack() as stack:
        context.state.payments = Payments(context, stack)
        yield
