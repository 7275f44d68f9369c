"""Opens the membership of the application."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.platform.membership.access import Membership
from wallet_service.platform.membership.settings import MembershipSettings


@asynccontextmanager
async def open_membership(context: RoomContext) -> AsyncGenerator[None]:
    """The membership that the settings describe, as ``state.membership``."""
    if not context.settings[MembershipSettings].verify_users:
        context.state.membership = Membership(context.state.database)
        yield
        return
    # Imports, aiohttp among them, that are needed only where users are verified.
    from wallet_service.platform.membership.clients import open_clients  # noqa: PLC0415
    from wallet_service.platform.upstreams.discovery import ACCOUNT, ORGANIZATION  # noqa: PLC0415
    from wallet_service.platform.upstreams.metrics import upstream_metrics  # noqa: PLC0415
    from wallet_service.platform.upstreams.tracing import CallSpans  # noqa: PLC0415
    from wallet_service.platform.upstreams.watch import only, upstream_discovery  # noqa: PLC0415

    spans = None if context.tracer is None else CallSpans(context.tracer)
    async with (
        upstream_discovery(
            context.settings, only(ACCOUNT, ORGANIZATION), metrics=context.state.consul_metrics
        ) as discovery,
        open_clients(
            context.settings,
            context.state.database,
            discovery,
            upstream_metrics(context.state, context.metrics),
            spans,
        ) as clients,
    ):
        context.state.clients = clients
        context.state.membership = clients.membership
        yield
