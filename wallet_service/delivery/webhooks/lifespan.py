"""Opens webhooks when the application starts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.delivery.events.settings import EventsSettings
from wallet_service.delivery.webhooks.deliveries import DeliveryParts
from wallet_service.delivery.webhooks.destinations import Destinations
from wallet_service.delivery.webhooks.metrics import WebhookMetrics
from wallet_service.delivery.webhooks.repository import DeliveryRepository
from wallet_service.delivery.webhooks.sender import Sender
from wallet_service.delivery.webhooks.service import WebhookParts
from wallet_service.delivery.webhooks.settings import WebhooksSettings, parse_networks


@asynccontextmanager
async def open_webhooks(context: RoomContext) -> AsyncGenerator[None]:
    """What requests work with as ``state.webhooks``, and the worker's loop as ``state.webhook_deliveries``."""
    settings = context.settings[WebhooksSettings]
    destinations = Destinations(parse_networks(settings.allowed_networks))
    sender = Sender(destinations, timeout_s=settings.timeout_ms / 1000)
    state = context.state
    state.webhooks = WebhookParts(
        destinations,
        sender,
        state.vault,
        state.event_types,
        settings,
        context.settings[EventsSettings].source,
        state.events.events,
    )
    state.webhook_deliveries = DeliveryParts(
        state.webhooks,
        DeliveryRepository(state.database),
        state.events.events,
        state.events.cloud_events,
        WebhookMetrics(context.metrics),
    )
    try:
        yield
    finally:
        await sender.close()
