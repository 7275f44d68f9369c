"""Problems of webhooks."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError


class WebhookNotFound(WalletError):
    """The endpoint does not exist, was deleted, or belongs to another client."""

    code, status, title = "webhook_not_found", 404, "Webhook endpoint not found"


class DeliveryNotFound(WalletError):
    """The event was not for the endpoint, or its delivery was removed some days after its end."""

    code, status, title = "delivery_not_found", 404, "Delivery not found"


class WebhookLimit(WalletError):
    """The client has as many endpoints as it may have, or the endpoint has as many valid secrets."""

    code, status, title = "webhook_limit", 409, "Limit of webhooks reached"
    details = ("There are {limit} already, the most that are allowed",)
    example_facts: ClassVar[Mapping[str, Any]] = {"limit": 20}
