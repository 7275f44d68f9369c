"""Endpoints of clients: creates and changes them, keeps their secrets in the vault, and sends test events."""

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from wallet_service.core.errors import ValidationFailed
from wallet_service.core.identifiers import new_id
from wallet_service.delivery.events.catalogue import EventCatalogue
from wallet_service.delivery.events.service import WAIT_MS, EventLog
from wallet_service.delivery.webhooks.destinations import DestinationRefused, Destinations, HostUnknown
from wallet_service.delivery.webhooks.repository import (
    NewSecret,
    SealedSecret,
    Target,
    WebhookRepository,
)
from wallet_service.delivery.webhooks.room import ROOM
from wallet_service.delivery.webhooks.sender import Attempt, Sender
from wallet_service.delivery.webhooks.settings import WebhooksSettings
from wallet_service.platform.vault.service import Vault
from wallet_service.platform.web.creation import Created, request_hash

SECRET_BYTES = 24
"""Of a secret: what the specification recommends at least."""

PING = "webhook_endpoint.ping"

PING_TIMEOUT_S = 5.0
"""The caller waits for it."""


@dataclass(frozen=True, slots=True)
class WebhookParts:
    """What the service works with, in each process.

    Attributes:
        destinations: that may be reached.
        sender: sends one attempt.
        vault: has the secrets.
        catalogue: the declared types of events.
        settings: of the room.
        source: CloudEvents ``source``.
        events: numbers what was committed.
    """

    destinations: Destinations
    sender: Sender
    vault: Vault
    catalogue: EventCatalogue
    settings: WebhooksSettings
    source: str
    events: EventLog


class WebhookService:
    """The endpoints of one client.

    Args:
        parts: of the process.
        repository: stores them.
        client_id: of the caller.
    """

    def __init__(self, parts: WebhookParts, repository: WebhookRepository, client_id: str) -> None:
        self._parts = parts
        self._repository = repository
        self._client_id = client_id

    async def create(self, endpoint: Mapping[str, Any], key: str | None) -> Created:
        """Create an endpoint. The document has its secret, null in a replay once it is no longer valid.

        Raises:
            ValidationFailed: the URL may not be reached, or a type of events is not declared.
            VaultUnavailable: the vault has no key.
            WebhookLimit: the client has as many endpoints as it may have.
        """
        self._check_types(endpoint["event_types"])
        await self._check_url(endpoint["url"])
        await self._parts.events.number(WAIT_MS)  # what was committed before gets a number that is not for it
        created, sealed = await self._repository.create(
            new_id(),
            self._client_id,
            key,
            request_hash(1, endpoint["url"], endpoint["description"], endpoint["event_types"]),
            endpoint,
            self._new_secret(),
            self._parts.settings.max_endpoints,
        )
        return self._shown(created, sealed)

    async def rotate(self, endpoint_id: str, overlap_s: int, key: str | None) -> Created:
        """Give an endpoint a new secret; the one before it stays valid for some seconds."""
        created, sealed = await self._repository.rotate(
            endpoint_id,
            self._client_id,
            key,
            request_hash(1, endpoint_id, overlap_s),
            self._new_secret(),
            overlap_s,
        )
        return self._shown(created, sealed)

    async def update(self, endpoint_id: str, version: int | None, changes: Mapping[str, Any]) -> bytes:
        """Change an endpoint, and return it."""
        if "event_types" in changes:
            self._check_types(changes["event_types"])
        if "url" in changes:
            await self._check_url(changes["url"])
        return await self._repository.update(endpoint_id, self._client_id, version, changes)

    async def ping(self, endpoint_id: str) -> tuple[str, Attempt]:
        """Send a test event now: its id, and how the attempt ended."""
        target = await self._repository.target(endpoint_id, self._client_id)
        message_id = new_id()
        document = {
            "specversion": "1.0",
            "id": message_id,
            "source": self._parts.source,
            "type": PING,
            "subject": endpoint_id,
            "time": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": {"endpoint_id": endpoint_id},
        }
        body = json.dumps(document, separators=(",", ":"))
        secrets = opened(self._parts.vault, target)
        return message_id, await self._parts.sender.send(
            target.url, message_id, body, secrets, longest_s=PING_TIMEOUT_S
        )

    def _new_secret(self) -> NewSecret:
        key_id = self._parts.vault.require().key_id
        secret_id = new_id()
        secret = f"whsec_{base64.b64encode(os.urandom(SECRET_BYTES)).decode()}"
        return NewSecret(
            SealedSecret(secret_id, self._parts.vault.seal(ROOM.name, secret_id, secret)), key_id
        )

    def _shown(self, created: Created, sealed: SealedSecret | None) -> Created:
        secret = None if sealed is None else open_secret(self._parts.vault, sealed)
        return Created(
            created.document[:-1] + b',"secret":' + json.dumps(secret).encode() + b"}", created.replayed
        )

    async def _check_url(self, url: str) -> None:
        try:
            await self._parts.destinations.check(url)
        except HostUnknown:
            pass  # it may resolve later; each attempt checks, and a ping shows it
        except DestinationRefused as refusal:
            detail = f"{refusal}. A webhook goes to an https URL of an address on the internet, or to a network that the "
            detail += "operator allows"
            error = {"in": "body", "pointer": "/url", "code": "destination_refused", "detail": detail}
            raise ValidationFailed(detail, errors=[error]) from None

    def _check_types(self, names: Sequence[str] | None) -> None:
        for place, name in enumerate(names or ()):
            if self._parts.catalogue.unknown([name]):
                detail = f"{name[:100]!r} is not a type of events: {', '.join(self._parts.catalogue.names)}"
                error = {
                    "in": "body",
                    "pointer": f"/event_types/{place}",
                    "code": "type_unknown",
                    "detail": detail,
                }
                raise ValidationFailed(detail, errors=[error])


def open_secret(vault: Vault, secret: SealedSecret) -> str:
    """The secret, ``whsec_…``.

    Raises:
        VaultUnavailable: the vault does not have its key.
        SealedValueInvalid: it is not as it was sealed.
    """
    return vault.open(ROOM.name, secret.secret_id, secret.sealed)


def opened(vault: Vault, target: Target) -> Sequence[str]:
    """All valid secrets of an endpoint."""
    return [open_secret(vault, each) for each in target.secrets]
