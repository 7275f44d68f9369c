"""Webhooks: endpoints, secrets, deliveries, replays."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from wallet_client._async.pages import AsyncPages
from wallet_client._async.runner import AsyncRunner
from wallet_client._call import (
    PAGE_SIZE,
    ROOT,
    UNSET,
    Call,
    Id,
    Moment,
    SuccessResponse,
    Unset,
    change_call,
    encode,
    get_call,
    moment,
    post_call,
    target,
)
from wallet_client._responses import (
    created_webhook_of,
    deliveries_of,
    delivery_of,
    ping_of,
    replayed_of,
    rotated_secret_of,
    webhook_of,
    webhooks_of,
)

if TYPE_CHECKING:
    from wallet_client.models import Page
    from wallet_client.webhooks import (
        CreatedWebhook,
        Delivery,
        DeliveryWithLog,
        Ping,
        Replayed,
        RotatedSecret,
        WebhookEndpoint,
    )

_ROUTE = "/webhooks/{endpoint_id}"


class AsyncWebhooksResource:
    """``client.webhooks``: the client's own endpoints. Those of other clients are not found.

    A receiver verifies messages with the package ``standardwebhooks``: ``Webhook(secret).verify(body, headers)``.
    """

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner

    async def create(
        self,
        url: str,
        *,
        event_types: Sequence[str] | None = None,
        description: str = "",
        idempotency_key: str | None = None,
    ) -> "CreatedWebhook":
        """Create an endpoint, which gets the events of all wallets from now on. Store the secret of the result.

        Args:
            url: https, and of an address on the internet, or of a network that the operator allows.
            event_types: only events of these types; default: all.
            description: for people.
            idempotency_key: one endpoint is created per key; default: a new key.

        Raises:
            ValidationFailed: nothing may be sent to the URL, or there is no such type of events.
            WebhookLimit: the client has as many endpoints as it may have.
            VaultUnavailable: the service has no key to encrypt the secret.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        types = None if event_types is None else [*event_types]
        body = {"url": url, "description": description, "event_types": types}
        return await self._runner.run(
            post_call("create_webhook", "/webhooks", created_webhook_of, body, idempotency_key)
        )

    async def get(self, endpoint_id: Id) -> "WebhookEndpoint":
        """Read an endpoint.

        Args:
            endpoint_id: the endpoint.

        Raises:
            WebhookNotFound: the client has no such endpoint.
        """
        return await self._runner.run(get_call("get_webhook", _ROUTE, webhook_of, endpoint_id=endpoint_id))

    async def update(
        self,
        endpoint_id: Id,
        *,
        url: str | Unset = UNSET,
        description: str | Unset = UNSET,
        event_types: Sequence[str] | Unset | None = UNSET,
        status: Literal["active", "disabled"] | Unset = UNSET,
        if_version: int | None = None,
    ) -> "WebhookEndpoint":
        """Change an endpoint. Arguments that are left out (``wallet_client.UNSET``) change nothing.

        The call has no idempotency key: if a first attempt gets no response and a later one is refused, the error is
        ``OutcomeUnknown``.

        Args:
            endpoint_id: the endpoint.
            url: where events are sent from now on.
            description: for people.
            event_types: only events of these types; None: all.
            status: ``disabled``: nothing is sent; ``active``: it goes on where it stopped.
            if_version: change it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            WebhookNotFound: the client has no such endpoint.
            ValidationFailed: nothing may be sent to the URL, or there is no such type of events.
            OutcomeUnknown: the change may have been made; read the endpoint.
        """
        types = event_types if event_types is None or isinstance(event_types, Unset) else [*event_types]
        members: dict[str, Any] = {
            "url": url,
            "description": description,
            "event_types": types,
            "status": status,
        }
        body = encode({member: value for member, value in members.items() if value is not UNSET})
        call = change_call(
            "update_webhook", "PATCH", _ROUTE, webhook_of, body, if_version, endpoint_id=endpoint_id
        )
        return await self._runner.run(call)

    async def delete(self, endpoint_id: Id, *, if_version: int | None = None) -> None:
        """Delete an endpoint, its secrets and its log. The call has no idempotency key; see ``update``.

        Args:
            endpoint_id: the endpoint.
            if_version: delete it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            WebhookNotFound: the client has no such endpoint.
        """
        call = change_call(
            "delete_webhook", "DELETE", _ROUTE, _nothing_of, None, if_version, endpoint_id=endpoint_id
        )
        return await self._runner.run(call)

    def list(self, *, page_size: int = PAGE_SIZE) -> "AsyncPages[WebhookEndpoint]":
        """The client's endpoints, newest first.

        Args:
            page_size: items per request, 1 to 100.
        """

        def page_after(cursor: str | None) -> "Call[Page[WebhookEndpoint]]":
            return get_call("list_webhooks", "/webhooks", webhooks_of, {"limit": page_size, "cursor": cursor})

        return AsyncPages(self._runner, page_after)

    async def rotate_secret(
        self, endpoint_id: Id, *, overlap_s: int = 86_400, idempotency_key: str | None = None
    ) -> "RotatedSecret":
        """Create a new secret. Store the secret of the result, and change the receiver within ``overlap_s`` seconds.

        Args:
            endpoint_id: the endpoint.
            overlap_s: for how many seconds messages are also signed with the secret before; 0: not at all.
            idempotency_key: one secret is created per key; default: a new key.

        Raises:
            WebhookNotFound: the client has no such endpoint.
            WebhookLimit: the endpoint has as many valid secrets as it may have.
            VaultUnavailable: the service has no key to encrypt the secret.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        call = post_call(
            "rotate_webhook_secret",
            f"{_ROUTE}/rotate-secret",
            rotated_secret_of,
            {"overlap_s": overlap_s},
            idempotency_key,
            endpoint_id=endpoint_id,
        )
        return await self._runner.run(call)

    async def ping(self, endpoint_id: Id) -> "Ping":
        """Send a test event now, also to a disabled endpoint, and return how it was received.

        Args:
            endpoint_id: the endpoint.

        Raises:
            WebhookNotFound: the client has no such endpoint.
        """
        route = f"{_ROUTE}/ping"
        call = change_call("ping_webhook", "POST", route, ping_of, None, None, endpoint_id=endpoint_id)
        return await self._runner.run(call)

    def deliveries(
        self,
        endpoint_id: Id,
        *,
        state: Literal["pending", "delivered", "dead"] | None = None,
        event_id: Id | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "AsyncPages[Delivery]":
        """What was, is or will be delivered to an endpoint, newest event first.

        Args:
            endpoint_id: the endpoint.
            state: only deliveries in this state; ``dead``: the dead letters.
            event_id: only that of this event.
            page_size: items per request, 1 to 100.
        """

        def page_after(cursor: str | None) -> "Call[Page[Delivery]]":
            query = {"state": state, "event_id": event_id, "limit": page_size, "cursor": cursor}
            return get_call(
                "list_webhook_deliveries",
                f"{_ROUTE}/deliveries",
                deliveries_of,
                query,
                endpoint_id=endpoint_id,
            )

        return AsyncPages(self._runner, page_after)

    async def delivery(self, endpoint_id: Id, number: int) -> "DeliveryWithLog":
        """Read a delivery with its attempts.

        Args:
            endpoint_id: the endpoint.
            number: of the event.

        Raises:
            DeliveryNotFound: the event was not for the endpoint, or its delivery was removed.
        """
        route = f"{_ROUTE}/deliveries/{{number}}"
        call = get_call(
            "get_webhook_delivery", route, delivery_of, endpoint_id=endpoint_id, number=str(number)
        )
        return await self._runner.run(call)

    async def replay(
        self,
        endpoint_id: Id,
        *,
        from_time: Moment | None = None,
        from_event: Id | None = None,
        from_number: int | None = None,
        number: int | None = None,
        dead: Literal[True] | None = None,
    ) -> "Replayed":
        """Deliver events again; their ids stay. Exactly one choice must be given.

        Args:
            endpoint_id: the endpoint.
            from_time: the events of this moment and later ones.
            from_event: the event with this id and later ones.
            from_number: the event with this number and later ones.
            number: this delivery.
            dead: True: dead deliveries, at most 1,000.

        Raises:
            WebhookNotFound: the client has no such endpoint.
            DeliveryNotFound: the event was not for the endpoint.
            ValidationFailed: not exactly one choice is given.
        """
        members: dict[str, Any] = {
            "from_time": moment(from_time, "from_time"),
            "from_event": None if from_event is None else str(from_event),
            "from_number": from_number,
            "number": number,
            "dead": dead,
        }
        route = f"{_ROUTE}/replay"
        call = Call(
            "replay_webhook",
            "POST",
            ROOT + route,
            target(route, None, endpoint_id=endpoint_id),
            replayed_of,
            writes=True,
            body=encode({member: value for member, value in members.items() if value is not None}),
        )
        return await self._runner.run(call)


def _nothing_of(response: SuccessResponse) -> None:
    del response
