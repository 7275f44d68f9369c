"""The routes of events."""

import json
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from wallet_service.core.errors import Overloaded, ValidationFailed, WalletNotFound
from wallet_service.delivery.events.catalogue import EventCatalogue
from wallet_service.delivery.events.problems import CursorExpired
from wallet_service.delivery.events.repository import EventFilter
from wallet_service.delivery.events.room import EVENTS_READ, PATH
from wallet_service.delivery.events.schemas import EventPage, EventTypes
from wallet_service.delivery.events.service import Viewer
from wallet_service.delivery.events.stream import EventStream, StreamParts
from wallet_service.platform.auth.authentication import Authenticator, Caller, Principal, requires
from wallet_service.platform.membership.access import CallerAccessOf, caller_access
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.openapi import READS, problems
from wallet_service.platform.web.pagination import (
    DEFAULT_LIMIT,
    LONGEST_CURSOR,
    BigInt,
    Limit,
    decode_cursor,
    encode_cursor,
)
from wallet_service.platform.web.responses import JsonBytes

router = APIRouter(tags=["events"], route_class=StrictRoute)

Reader = Annotated[Principal, requires(EVENTS_READ)]

_KIND = "events"
_POSITION = TypeAdapter(tuple[BigInt])
_AFTER = ("query", "/after")
_LAST_ID = ("header", "/Last-Event-ID")
_MOST_TYPES = 50


async def _parts(request: Request) -> StreamParts:
    return request.app.state.events


async def _catalogue(request: Request) -> EventCatalogue:
    return request.app.state.event_types


Parts = Annotated[StreamParts, Depends(_parts)]
Catalogue = Annotated[EventCatalogue, Depends(_catalogue)]


async def _wanted(
    catalogue: Catalogue,
    access: CallerAccessOf,
    types: Annotated[
        list[str],
        Query(
            max_length=_MOST_TYPES,
            description="Only events of these types, with commas between them, or the parameter several times.",
            examples=[["transaction.posted"]],
        ),
    ] = [],  # noqa: B006 - FastAPI copies defaults
    wallet_id: Annotated[UUID | None, Query(description="Only events of this wallet.")] = None,
) -> EventFilter:
    names = sorted({name.strip() for each in types for name in each.split(",") if name.strip()})
    if unknown := catalogue.unknown(names):
        detail = f"{unknown[0][:100]!r} is not a type of events: {', '.join(catalogue.names)}"
        error = {"in": "query", "pointer": "/types", "code": "type_unknown", "detail": detail}
        raise ValidationFailed(detail, errors=[error])
    if wallet_id is not None:
        await access.check(str(wallet_id))
    return EventFilter(types=tuple(names), wallet_id=None if wallet_id is None else str(wallet_id))


Wanted = Annotated[EventFilter, Depends(_wanted)]
After = Annotated[
    str | None,
    Query(
        max_length=LONGEST_CURSOR,
        description="`next_cursor` of a page, or the id of a server-sent event, with the same filters.",
    ),
]


def _selection(wanted: EventFilter) -> Mapping[str, Any]:
    return {"types": wanted.types, "wallet_id": wanted.wallet_id}


def _cursor(wanted: EventFilter, number: int) -> str:
    return encode_cursor(_KIND, _selection(wanted), [number])


def _number(wanted: EventFilter, cursor: str | None, place: tuple[str, str]) -> int | None:
    return None if cursor is None else decode_cursor(_KIND, _selection(wanted), cursor, _POSITION, place)[0]


def _with_cursor(wanted: EventFilter, expired: CursorExpired) -> CursorExpired:
    oldest: int = expired.facts["oldest_number"]
    return CursorExpired(oldest_cursor=_cursor(wanted, oldest - 1))


@router.get(
    PATH,
    response_model=EventPage,
    responses=problems(*READS, CursorExpired, WalletNotFound, UpstreamUnavailable),
    operation_id="list_events",
    summary="List events",
)
async def list_events(
    caller: Reader,
    access: CallerAccessOf,
    parts: Parts,
    wanted: Wanted,
    after: After = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Events as CloudEvents 1.0, oldest first; without `after` from the oldest one that is kept.

    Keep `next_cursor`, and send it as `after` to get what happened since. A page can be short, even empty, although
    `has_more` is true: about 10,000 events are searched for each. The events of a wallet come in the order of their
    `walletversion`, and each event has one place for ever. A user token sees the events of its user's own wallets, a
    restricted key those of the wallets that it is restricted to.
    """
    try:
        page = await parts.events.page(_number(wanted, after, _AFTER), limit, wanted, Viewer(caller, access))
    except CursorExpired as expired:
        raise _with_cursor(wanted, expired) from None
    items = b",".join(parts.cloud_events.document(event, for_owner=caller.is_user) for event in page.events)
    place = json.dumps({"next_cursor": _cursor(wanted, page.after), "has_more": page.more})
    return JsonBytes(b'{"items":[' + items + b"]," + place[1:].encode())


_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The stream.",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'event: transaction.posted\nid: WyJldmVudHMi\ndata: {"specversion":"1.0"}\n\n',
            }
        },
    },
    **problems(*READS, CursorExpired, WalletNotFound, UpstreamUnavailable, Overloaded),
}


@router.get(
    f"{PATH}/stream",
    responses=_STREAM,
    response_class=StreamingResponse,  # as FastAPI's own class it would have to be a generator, and refuse nothing
    operation_id="stream_events",
    summary="Stream events",
)
async def stream_events(
    request: Request,
    caller: Reader,
    access: CallerAccessOf,
    parts: Parts,
    wanted: Wanted,
    after: After = None,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            max_length=LONGEST_CURSOR,
            description="The id of the last event that arrived: the stream continues after it.",
        ),
    ] = None,
) -> Response:
    """New events as server-sent events, as they are committed; with `after` or `Last-Event-ID` those since then first.

    Each has its type as `event`, a cursor as `id`, and a CloudEvent as `data`. An id without data every 15 s keeps the
    connection open. The stream ends when the service stops, and when the caller may no longer read: connect again with
    the last id, as browsers do by themselves.
    """
    parts.require_place()
    cursor, place = (last_event_id, _LAST_ID) if last_event_id else (after, _AFTER)
    number = _number(wanted, cursor, place)
    viewer = Viewer(caller, access)
    if number is not None or wanted.wallet_id is not None:
        try:  # refusals are problems, before the response begins
            await parts.events.page(number, 1, wanted, viewer)
        except CursorExpired as expired:
            raise _with_cursor(wanted, expired) from None

    async def check() -> Viewer:
        return await _checked(request, wanted)

    return EventStream(parts, wanted, number, lambda each: _cursor(wanted, each), check).response()


async def _checked(request: Request, wanted: EventFilter) -> Viewer:
    """The caller of an open stream, authenticated again, who may still read the wallet that it names."""
    state = request.app.state
    authenticator: Authenticator = state.auth
    values = [value for name, value in request.scope["headers"] if name == b"authorization"]
    caller = await authenticator.principal(values)
    for each in state.caller_checks:
        await each(state, caller)
    caller.require(EVENTS_READ)
    # Access checks of a new request: those of the first one keep their decisions.
    now = Request({**request.scope, "state": {**request.scope["state"], "principal": caller}})
    now.scope["state"].pop("access", None)
    access = caller_access(now)
    if wanted.wallet_id is not None:
        await access.check(wanted.wallet_id)
    return Viewer(caller, access)


@router.get(
    f"{PATH}/types",
    response_model=EventTypes,
    responses=problems(*READS),
    operation_id="list_event_types",
    summary="List the types of events",
)
async def list_event_types(_caller: Caller, catalogue: Catalogue) -> Response:
    """Every type of events, with the JSON Schema of its data."""
    return JsonBytes(json.dumps({"items": catalogue.entries}, separators=(",", ":")).encode())
