"""The SQL functions of webhooks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wallet_service.core.caller import current_caller
from wallet_service.delivery.events.cloud_events import Event, event_of
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.web.created import Created


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret as it is stored.

    Attributes:
        secret_id: the row for which it is sealed.
        sealed: by the vault.
    """

    secret_id: str
    sealed: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages of an endpoint go.

    Attributes:
        url: of the receiver.
        secrets: the valid ones, the current one first.
        version: of the endpoint; None of a target that is not claimed.
    """

    url: str
    secrets: Sequence[SealedSecret]
    version: int | None = None


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that this worker sends now.

    Attributes:
        endpoint_id: for which endpoint.
        number: of the event.
        lease_id: of the claim.
        failures: failed attempts before this one.
        target: where it goes.
        event: None if it was removed by retention.
    """

    endpoint_id: str
    number: int
    lease_id: str
    failures: int
    target: Target
    event: Event | None


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret to store.

    Attributes:
        stored: with its row.
        key_id: of the vault's key.
    """

    stored: SealedSecret
    key_id: str


class WebhookRepository:
    """Endpoints, as their clients manage them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        endpoint_id: str,
        client_id: str,
        key: str | None,
        request_hash: str,
        endpoint: Mapping[str, Any],
        secret: NewSecret,
        most: int,
    ) -> tuple[Created, SealedSecret | None]:
        """Create an endpoint, once for each key: it, and its first secret; None once that is no longer valid.

        Raises:
            IdempotencyKeyReused: the key was spent on another request.
            WebhookLimit: the client has as many endpoints as it may have.
        """
        answer = await self._database.repeat(
            "create_webhook",
            endpoint_id=endpoint_id,
            client_id=client_id,
            key=key,
            request_hash=request_hash,
            endpoint=Json.of(endpoint),
            secret_id=secret.stored.secret_id,
            sealed=secret.stored.sealed,
            key_id=secret.key_id,
            most=most,
            caller=_caller(),
        )
        return _with_secret(answer)

    async def rotate(
        self,
        endpoint_id: str,
        client_id: str,
        key: str | None,
        request_hash: str,
        secret: NewSecret,
        overlap_s: int,
    ) -> tuple[Created, SealedSecret | None]:
        """Give an endpoint a new secret, once for each key, as ``create`` does."""
        answer = await self._database.repeat(
            "rotate_webhook_secret",
            endpoint_id=endpoint_id,
            client_id=client_id,
            key=key,
            request_hash=request_hash,
            secret_id=secret.stored.secret_id,
            sealed=secret.stored.sealed,
            key_id=secret.key_id,
            overlap_s=overlap_s,
            caller=_caller(),
        )
        return _with_secret(answer)

    async def get(self, endpoint_id: str, client_id: str) -> bytes:
        """An endpoint as JSON.

        Raises:
            WebhookNotFound: the client has no such endpoint.
        """
        return await self._database.read("get_webhook", endpoint_id=endpoint_id, client_id=client_id)

    async def page(self, client_id: str, after: str | None, limit: int) -> tuple[bytes, str | None]:
        """A page of the client's endpoints as JSON, newest first, and the id to continue after; None at the end."""
        answer = await self._database.read("list_webhooks", client_id=client_id, after=after, limit=limit)
        return _page(answer)

    async def update(
        self, endpoint_id: str, client_id: str, version: int | None, changes: Mapping[str, Any]
    ) -> bytes:
        """Apply a merge patch, if the endpoint has this version (None: any), and return it."""
        return await self._database.call(
            "update_webhook",
            endpoint_id=endpoint_id,
            client_id=client_id,
            version=version,
            changes=Json.of(changes),
            caller=_caller(),
        )

    async def delete(self, endpoint_id: str, client_id: str, version: int | None) -> None:
        """Delete an endpoint, if it has this version (None: any)."""
        await self._database.call(
            "delete_webhook", endpoint_id=endpoint_id, client_id=client_id, version=version, caller=_caller()
        )

    async def target(self, endpoint_id: str, client_id: str) -> Target:
        """Where messages of an endpoint go."""
        answer = await self._database.read(
            "read_webhook_target", endpoint_id=endpoint_id, client_id=client_id
        )
        return _target(json.loads(answer))

    async def replay(self, endpoint_id: str, client_id: str, choice: Mapping[str, Any]) -> bytes:
        """Deliver again what an endpoint got before; ``replay_webhook.sql`` describes the choice.

        Raises:
            DeliveryNotFound: the event was not delivered to the endpoint.
        """
        return await self._database.repeat(
            "replay_webhook",
            endpoint_id=endpoint_id,
            client_id=client_id,
            choice=Json.of(choice),
            caller=_caller(),
        )

    async def deliveries(
        self,
        endpoint_id: str,
        client_id: str,
        state: str | None,
        event_id: str | None,
        after: int | None,
        limit: int,
    ) -> tuple[bytes, int | None]:
        """A page of deliveries as JSON, newest first, and the number to continue after; None at the end."""
        answer = await self._database.read(
            "list_webhook_deliveries",
            endpoint_id=endpoint_id,
            client_id=client_id,
            state=state,
            event_id=event_id,
            after=after,
            limit=limit,
        )
        items, following = _page(answer)
        return items, None if following is None else int(following)

    async def delivery(self, endpoint_id: str, client_id: str, number: int) -> bytes:
        """A delivery with its attempts as JSON.

        Raises:
            DeliveryNotFound: there is none.
        """
        return await self._database.read(
            "get_webhook_delivery", endpoint_id=endpoint_id, client_id=client_id, number=number
        )


class DeliveryRepository:
    """Deliveries, as workers make them. Every call is safe to repeat."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spread(self, limit: int) -> tuple[int, bool, bool]:
        """Make deliveries of new events: how many, whether more are to be made, and whether an endpoint is active."""
        done = json.loads(await self._database.repeat("spread_webhook_events", limit=limit))
        return done["created"], done["more"], done["endpoints"]

    async def claim(
        self, claim_id: str, limit: int, per_endpoint: int, lease_s: int
    ) -> Sequence[ClaimedDelivery]:
        """Claim due deliveries, for the seconds of a lease."""
        answer = await self._database.repeat(
            "claim_webhook_deliveries",
            claim_id=claim_id,
            limit=limit,
            per_endpoint=per_endpoint,
            lease_s=lease_s,
        )
        first, *lines = answer.split(b"\n")
        targets = {name: _target(each) for name, each in json.loads(first).items()}
        claimed: list[ClaimedDelivery] = []
        for place, facts, data in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
            endpoint_id, number, failures = json.loads(place)
            event = event_of(json.loads(facts), data) if facts else None
            claimed.append(
                ClaimedDelivery(endpoint_id, number, claim_id, failures, targets[endpoint_id], event)
            )
        return claimed

    async def report(
        self,
        claimed: ClaimedDelivery,
        attempt: Mapping[str, Any],
        pause_ms: int | None,
        disable_after_s: int,
    ) -> str:
        """End an attempt: the state of the delivery, or ``lost``."""
        answer = await self._database.repeat(
            "report_webhook_attempt",
            endpoint_id=claimed.endpoint_id,
            number=claimed.number,
            lease_id=claimed.lease_id,
            attempt=Json.of(attempt),
            pause_ms=pause_ms,
            disable_after_s=disable_after_s,
        )
        return answer.decode()

    async def release(self, claimed: ClaimedDelivery) -> None:
        """Give a delivery back: it is due again at once."""
        await self._database.repeat(
            "release_webhook_deliveries",
            lease_id=claimed.lease_id,
            deliveries=Json.of([[claimed.endpoint_id, claimed.number]]),
        )

    async def counts(self) -> Mapping[str, int]:
        """``pending``, ``dead``, ``disabled``, ``oldest_due_ms``."""
        return json.loads(await self._database.read("read_webhook_counts"))

    async def delete_old(self, keep_days: int, limit: int) -> tuple[int, bool]:
        """Remove what is old: how many deliveries were removed, and whether more are to be."""
        answer = await self._database.repeat(
            "delete_old_webhook_deliveries", keep_days=keep_days, limit=limit
        )
        done = json.loads(answer)
        return done["deleted"], done["more"]


def _caller() -> Json:
    return Json.of(current_caller().document())


def _page(answer: bytes) -> tuple[bytes, str | None]:
    items, _, following = answer.rpartition(b"\n")
    return items, following.decode() or None


def _target(document: Mapping[str, Any]) -> Target:
    secrets = [SealedSecret(*each) for each in document["secrets"]]
    return Target(document["url"], secrets, document.get("version"))


def _with_secret(answer: bytes) -> tuple[Created, SealedSecret | None]:
    secret, _, created = answer.partition(b"\n")
    found = json.loads(secret)
    return Created.of(created, "endpoint"), None if found is None else SealedSecret(*found)
