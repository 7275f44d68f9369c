"""Opens the events when the application starts."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog

from wallet_service.core.errors import WalletError
from wallet_service.core.room import RoomContext
from wallet_service.delivery.events.catalogue import EventCatalogue
from wallet_service.delivery.events.cloud_events import CloudEvents
from wallet_service.delivery.events.feed import EventFeed
from wallet_service.delivery.events.metrics import EventsMetrics
from wallet_service.delivery.events.repository import EventRepository
from wallet_service.delivery.events.service import EventLog
from wallet_service.delivery.events.settings import EventsSettings
from wallet_service.delivery.events.stream import StreamParts
from wallet_service.platform.http_server.settings import HttpServerSettings

KEEP_S = 10.0
"""Seconds between two runs in the background."""

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_events(context: RoomContext) -> AsyncGenerator[None]:
    """The events as ``state.events``, their types as ``state.event_types``."""
    settings = context.settings[EventsSettings]
    catalogue = EventCatalogue(context.rooms)
    metrics = EventsMetrics(context.metrics, catalogue.changes)
    events = EventLog(EventRepository(context.state.database), settings, metrics)
    feed = EventFeed(events, settings.poll_ms / 1000)
    context.state.event_types = catalogue
    context.state.events = StreamParts(
        events=events,
        feed=feed,
        cloud_events=CloudEvents(settings.source, catalogue.versions),
        metrics=metrics,
        most_streams=min(settings.max_streams, context.settings[HttpServerSettings].max_connections // 2),
    )
    context.state.when_stopping.append(feed.stop)
    keeping = asyncio.create_task(_keep(events))
    try:
        yield
    finally:
        context.state.when_stopping.remove(feed.stop)
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        await feed.close()


async def _keep(events: EventLog) -> None:
    """Number events and remove old ones as long as the application runs, also while nothing reads them."""
    is_logged = False
    while True:
        # Several instances don't do it at the same moment.
        await asyncio.sleep(KEEP_S * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
        try:
            await events.keep()
            is_logged = False
        except WalletError as error:
            if not is_logged:
                _log.warning("events_not_numbered", reason=error.code, meaning="readers get them later")
            is_logged = True
