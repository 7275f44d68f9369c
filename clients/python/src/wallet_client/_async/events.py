"""Events: what was posted and changed, in one order."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wallet_client._async.runner import AsyncRunner
from wallet_client._call import PAGE_SIZE, Call, Id, get_call
from wallet_client._responses import event_of, event_types_of, events_of, nothing_of
from wallet_client._sse import PAUSE_S

if TYPE_CHECKING:
    from wallet_client.models import Event, EventPage, EventType

_ROUTE = "/events"


class AsyncEvents:
    """Events, oldest first. Iterate over it with ``async for`` for the events, or over ``pages()`` for their pages.

    Each iteration starts again at the same place. It ends with the newest event.

    Attributes:
        cursor: continues after the pages that were read last: give it as ``after``, at any later time.
    """

    def __init__(self, runner: AsyncRunner, query: dict[str, Any], after: str | None) -> None:
        self._runner = runner
        self._query = query
        self._after = after
        self.cursor: str | None = after

    async def pages(self) -> "AsyncIterator[EventPage]":
        """Each page. A page may be empty without being the last one.

        Raises:
            CursorExpired: events after the cursor are no longer kept; ``facts`` has ``oldest_cursor``.
            WalletError: a page could not be read.
        """
        after = self._after
        while True:
            page = await self._runner.run(self._page_after(after))
            after = page.next_cursor
            yield page
            self.cursor = after
            if not page.has_more:
                return

    def _page_after(self, cursor: str | None) -> "Call[EventPage]":
        return get_call("list_events", _ROUTE, events_of, {**self._query, "after": cursor})

    async def __aiter__(self) -> "AsyncIterator[Event]":
        async for page in self.pages():
            for item in page.items:
                yield item


class AsyncEventsResource:
    """``client.events``: needs ``events:read``. A user token sees the events of its user's own wallets."""

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner

    async def types(self) -> "list[EventType]":
        """All types of events, with the JSON Schemas of their data."""
        return await self._runner.run(get_call("list_event_types", f"{_ROUTE}/types", event_types_of))

    def list(
        self,
        *,
        types: Sequence[str] = (),
        wallet_id: Id | None = None,
        after: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> AsyncEvents:
        """The events up to now, oldest first.

        Args:
            types: only these, such as ``transaction.posted``.
            wallet_id: only those of this wallet.
            after: a cursor, with the same ``types`` and ``wallet_id``; None begins with the oldest event that is kept.
            page_size: events per request, 1 to 100.
        """
        return AsyncEvents(self._runner, {**_query(types, wallet_id), "limit": page_size}, after)

    async def stream(
        self, *, types: Sequence[str] = (), wallet_id: Id | None = None, after: str | None = None
    ) -> "AsyncGenerator[Event]":
        """Events as they are committed, without an end. After a lost connection it goes on where it was.

        ``event.cursor`` continues after an event: store it with your work, and give it as ``after`` the next time.
        To end it early, close the generator.

        Args:
            types: only these.
            wallet_id: only those of this wallet.
            after: a cursor, with the same ``types`` and ``wallet_id``; None begins with what is new.

        Raises:
            CursorExpired: events after the cursor are no longer kept; ``facts`` has ``oldest_cursor``.
            WalletError: the service refuses, or could not be reached again within ``retry_budget_s``.
        """
        while True:
            is_quiet = True
            async for block in self._runner.stream(_stream_call(types, wallet_id, after)):
                after = block.place or after
                if block.data is not None:
                    is_quiet = False
                    yield event_of(json.loads(block.data, parse_float=Decimal), after)
            if is_quiet:
                await self._runner.pause(PAUSE_S)


def _query(types: Sequence[str], wallet_id: Id | None) -> dict[str, Any]:
    if isinstance(types, str):
        raise TypeError("types is a list of texts, not a text")
    return {
        "types": list(types) or None,
        "wallet_id": None if wallet_id is None else str(wallet_id),
    }


def _stream_call(types: Sequence[str], wallet_id: Id | None, after: str | None) -> Call[None]:
    query = {**_query(types, wallet_id), "after": after}
    return get_call("stream_events", f"{_ROUTE}/stream", nothing_of, query)
