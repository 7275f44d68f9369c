"""The routes of webhooks."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from wallet_service.core.errors import VersionMismatch, WalletBusy
from wallet_service.delivery.webhooks.problems import DeliveryNotFound, WebhookLimit, WebhookNotFound
from wallet_service.delivery.webhooks.repository import WebhookRepository
from wallet_service.delivery.webhooks.room import PATH, WEBHOOKS_READ, WEBHOOKS_WRITE
from wallet_service.delivery.webhooks.schemas import (
    CreatedWebhook,
    DeliveryPage,
    DeliveryWithLog,
    Ping,
    Replay,
    Replayed,
    RotatedSecret,
    SecretRotation,
    State,
    WebhookCreate,
    WebhookEndpoint,
    WebhookPage,
    WebhookPatch,
)
from wallet_service.delivery.webhooks.service import WebhookService
from wallet_service.platform.auth.authentication import Principal, requires
from wallet_service.platform.vault.problems import VaultUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.creation import created_headers, created_response
from wallet_service.platform.web.etag import ETAG, IfMatch, etag_of, version_of, versioned_response
from wallet_service.platform.web.idempotency import HeaderKey
from wallet_service.platform.web.openapi import KEYED, READS, WRITES, problems
from wallet_service.platform.web.pagination import (
    DEFAULT_LIMIT,
    BigInt,
    CursorText,
    Limit,
    decode_cursor,
    page_response,
)
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix=PATH, tags=["webhooks"], route_class=StrictRoute)

Repository = Annotated[WebhookRepository, on_database(WebhookRepository)]
Reader = Annotated[Principal, requires(WEBHOOKS_READ)]
Writer = Annotated[Principal, requires(WEBHOOKS_WRITE)]


async def _webhooks(request: Request, caller: Writer, repository: Repository) -> WebhookService:
    return WebhookService(request.app.state.webhooks, repository, caller.client_id)


Webhooks = Annotated[WebhookService, Depends(_webhooks)]

EndpointInPath = Annotated[UUID, Path(description="The endpoint's id.")]
NumberInPath = Annotated[BigInt, Path(description="The number of the event.")]

_ID = TypeAdapter(tuple[UUID])
_NUMBER = TypeAdapter(tuple[BigInt])


@router.post(
    "",
    status_code=201,
    response_model=CreatedWebhook,
    responses={
        201: {"headers": ETAG | created_headers("endpoint")},
        **problems(*WRITES, *KEYED, WebhookLimit, VaultUnavailable, WalletBusy),
    },
    operation_id="create_webhook",
    summary="Create a webhook endpoint",
)
async def create_webhook(request: WebhookCreate, webhooks: Webhooks, header_key: HeaderKey) -> Response:
    """Create an endpoint, which gets the events of all wallets from now on. The response has its secret, only this once.

    The same idempotency key and request create one endpoint. A URL to which nothing may be sent is refused, and so is a
    type of events that does not exist.
    """
    created = await webhooks.create(request.model_dump(mode="json"), header_key)
    endpoint: dict[str, Any] = json.loads(created.document)
    return created_response(
        created.document,
        f"{PATH}/{endpoint['endpoint_id']}",
        replayed=created.replayed,
        headers=etag_of(endpoint) | {"Cache-Control": "no-store"},
    )


@router.get(
    "",
    response_model=WebhookPage,
    responses=problems(*READS),
    operation_id="list_webhooks",
    summary="List webhook endpoints",
)
async def list_webhooks(
    caller: Reader, repository: Repository, cursor: CursorText = None, limit: Limit = DEFAULT_LIMIT
) -> Response:
    """The endpoints of the client, newest first. Secrets are never shown again."""
    selection = {"client_id": caller.client_id}
    after = None if cursor is None else str(decode_cursor("webhooks", selection, cursor, _ID)[0])
    items, following = await repository.page(caller.client_id, after, limit)
    return page_response("webhooks", selection, items, following and [following])


@router.get(
    "/{endpoint_id}",
    response_model=WebhookEndpoint,
    responses={200: {"headers": ETAG}, **problems(*READS, WebhookNotFound)},
    operation_id="get_webhook",
    summary="Read a webhook endpoint",
)
async def get_webhook(caller: Reader, endpoint_id: EndpointInPath, repository: Repository) -> Response:
    """The endpoint with its status. `ETag` is for `If-Match` of a change. Endpoints of other clients are not found."""
    return versioned_response(await repository.get(str(endpoint_id), caller.client_id))


@router.patch(
    "/{endpoint_id}",
    response_model=WebhookEndpoint,
    responses={
        200: {"headers": ETAG},
        **problems(*WRITES, WebhookNotFound, VersionMismatch, WalletBusy),
    },
    operation_id="update_webhook",
    summary="Change a webhook endpoint",
)
async def update_webhook(
    endpoint_id: EndpointInPath, request: WebhookPatch, webhooks: Webhooks, if_match: IfMatch = None
) -> Response:
    """Change url, description, event_types or status by a merge patch (RFC 7396). Members that are absent stay.

    A disabled endpoint that becomes `active` goes on where it stopped, and what waits for another attempt is sent at
    once. With `If-Match`, an endpoint that has changed since is refused as `version_mismatch`.
    """
    changes = request.model_dump(mode="json", include=request.model_fields_set)
    return versioned_response(
        await webhooks.update(str(endpoint_id), version_of(if_match, "a webhook endpoint"), changes)
    )


@router.delete(
    "/{endpoint_id}",
    status_code=204,
    response_class=Response,
    responses=problems(*READS, WebhookNotFound, VersionMismatch, WalletBusy),
    operation_id="delete_webhook",
    summary="Delete a webhook endpoint",
)
async def delete_webhook(
    caller: Writer, endpoint_id: EndpointInPath, repository: Repository, if_match: IfMatch = None
) -> Response:
    """Delete an endpoint, its secrets and its log. An attempt that is under way may still arrive."""
    await repository.delete(str(endpoint_id), caller.client_id, version_of(if_match, "a webhook endpoint"))
    return Response(status_code=204)


@router.post(
    "/{endpoint_id}/rotate-secret",
    status_code=201,
    response_model=RotatedSecret,
    responses={
        201: {"headers": created_headers("endpoint")},
        **problems(*WRITES, *KEYED, WebhookNotFound, WebhookLimit, VaultUnavailable, WalletBusy),
    },
    operation_id="rotate_webhook_secret",
    summary="Replace the secret of a webhook endpoint",
)
async def rotate_webhook_secret(
    endpoint_id: EndpointInPath, request: SecretRotation, webhooks: Webhooks, header_key: HeaderKey
) -> Response:
    """Create a new secret, shown only in this response. The one before it stays valid for `overlap_s` seconds.

    Until then each message has a signature by both. With `overlap_s` 0 the old one is invalid at once: for a secret that
    became known to others.
    """
    rotated = await webhooks.rotate(str(endpoint_id), request.overlap_s, header_key)
    return created_response(
        rotated.document,
        f"{PATH}/{endpoint_id}",
        replayed=rotated.replayed,
        headers={"Cache-Control": "no-store"},
    )


@router.post(
    "/{endpoint_id}/ping",
    responses=problems(*READS, WebhookNotFound, VaultUnavailable),
    operation_id="ping_webhook",
    summary="Send a test event",
)
async def ping_webhook(endpoint_id: EndpointInPath, webhooks: Webhooks) -> Ping:
    """Send an event of the type `webhook_endpoint.ping` now, also to a disabled endpoint, and return how it was received.

    It is one attempt of at most 5 s, and it changes nothing: neither the status of the endpoint nor its log.
    """
    message_id, attempt = await webhooks.ping(str(endpoint_id))
    return Ping(
        message_id=UUID(message_id),
        outcome=attempt.outcome,
        status=attempt.status,
        error=attempt.error,
        detail=attempt.detail,
        body=attempt.body,
        duration_ms=attempt.duration_ms,
    )


@router.get(
    "/{endpoint_id}/deliveries",
    response_model=DeliveryPage,
    responses=problems(*READS, WebhookNotFound),
    operation_id="list_webhook_deliveries",
    summary="List deliveries",
)
async def list_webhook_deliveries(
    caller: Reader,
    endpoint_id: EndpointInPath,
    repository: Repository,
    state: Annotated[State | None, Query(description="Only deliveries in this state.")] = None,
    event_id: Annotated[UUID | None, Query(description="Only that of this event.")] = None,
    cursor: CursorText = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """What was, is or will be delivered to the endpoint, newest event first. `state=dead` lists the dead letters."""
    event = None if event_id is None else str(event_id)
    selection = {"endpoint_id": str(endpoint_id), "state": state, "event_id": event}
    after = None if cursor is None else decode_cursor("deliveries", selection, cursor, _NUMBER)[0]
    items, following = await repository.deliveries(
        str(endpoint_id), caller.client_id, state, event, after, limit
    )
    return page_response("deliveries", selection, items, None if following is None else [following])


@router.get(
    "/{endpoint_id}/deliveries/{number}",
    response_model=DeliveryWithLog,
    responses=problems(*READS, WebhookNotFound, DeliveryNotFound),
    operation_id="get_webhook_delivery",
    summary="Read a delivery",
)
async def get_webhook_delivery(
    caller: Reader, endpoint_id: EndpointInPath, number: NumberInPath, repository: Repository
) -> Response:
    """A delivery with its attempts: when, the status and the beginning of the response, or what went wrong."""
    return JsonBytes(await repository.delivery(str(endpoint_id), caller.client_id, number))


@router.post(
    "/{endpoint_id}/replay",
    status_code=202,
    response_model=Replayed,
    responses=problems(*WRITES, WebhookNotFound, DeliveryNotFound, WalletBusy),
    operation_id="replay_webhook",
    summary="Deliver again",
)
async def replay_webhook(
    caller: Writer, endpoint_id: EndpointInPath, request: Replay, repository: Repository
) -> Response:
    """Deliver events again: those since a moment or an event, one, or the dead ones. Their ids stay.

    What is pending stays as it is. Events keep their order within a wallet. Events since before the endpoint was created
    can be asked for, too, as far as events are kept.
    """
    replayed = await repository.replay(str(endpoint_id), caller.client_id, request.choice())
    return JsonBytes(replayed, 202)
