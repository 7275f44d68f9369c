"""Declares the room."""

from wallet_service.core.room import (
    EventType,
    JobType,
    Permission,
    RequestCost,
    Room,
    SealedRows,
    VerifyWalk,
)
from wallet_service.delivery.webhooks.problems import DeliveryNotFound, WebhookLimit, WebhookNotFound
from wallet_service.delivery.webhooks.settings import WebhooksSettings

PATH = "/api/v1/webhooks"

WEBHOOKS_READ = Permission(
    "webhooks:read", "Read the client's own webhook endpoints and their deliveries", spans_wallets=True
)
WEBHOOKS_WRITE = Permission(
    "webhooks:write",
    "Create, change, test and replay the client's own webhook endpoints, which get events of all wallets",
    includes=("webhooks:read", "events:read"),
    spans_wallets=True,
)

ROOM = Room(
    name="webhooks",
    module=__name__,
    summary="webhooks: events are sent to endpoints of clients, signed, in order, with retries and a log",
    routers=("router:router",),
    tags={
        "webhooks": "Events, sent to URLs of the client by the Standard Webhooks specification: signed, in the order of "
        "each wallet, with retries over three days, a log, and replays."
    },
    settings=WebhooksSettings,
    permissions=(WEBHOOKS_READ, WEBHOOKS_WRITE),
    problems=(WebhookNotFound, DeliveryNotFound, WebhookLimit),
    request_costs={"ping_webhook": RequestCost(10), "replay_webhook": RequestCost(10)},
    lifespan="lifespan:open_webhooks",
    schema="delivery",
    verify_walks=(
        VerifyWalk(
            "verify_webhook_deliveries",
            "webhook deliveries",
            {
                "webhook order": "a pending delivery is ready, or waits for an earlier one of its wallet",
                "webhook events": "a delivery has the type and wallet of its event",
                "webhook attempts": "a delivered one has an attempt that succeeded",
            },
        ),
        VerifyWalk(
            "verify_webhooks",
            "webhook endpoints",
            {
                "webhook secrets": "an endpoint has one current secret",
                "webhook place": "an endpoint has no events beyond the newest one",
            },
        ),
    ),
    event_types=tuple(
        EventType(name=f"webhook_endpoint.{name}", summary=summary, data="schemas:WebhookEndpoint")
        for name, summary in (
            ("created", "A webhook endpoint was created."),
            ("updated", "A webhook endpoint was changed by its client."),
            ("secret_rotated", "A webhook endpoint got a new secret."),
            ("replayed", "Events are delivered to a webhook endpoint again, by request of its client."),
            ("disabled", "A webhook endpoint was disabled by the service."),
            ("deleted", "A webhook endpoint was deleted."),
        )
    ),
    jobs=(
        JobType(
            name="delete_old_webhook_deliveries",
            summary="removes deliveries of webhooks some days after their end",
            handler="jobs:delete_old",
            schedule="41 * * * *",
        ),
    ),
    worker_loops=("deliveries:deliver",),
    sealed_rows=SealedRows("list_sealed_webhook_secrets", "replace_sealed_webhook_secret"),
)
