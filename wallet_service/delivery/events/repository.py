"""The SQL functions of events."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wallet_service.delivery.events.cloud_events import Events, read_events
from wallet_service.platform.database.gateway import Database, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events a reader wants. All that are given apply.

    Attributes:
        types: only these; empty: all.
        wallet_id: only those of this wallet.
        user_id: only those of wallets of this user.
        wallet_ids: only those of these wallets; empty: of any.
        organization_id: only those of wallets of this organization.
    """

    types: tuple[str, ...] = ()
    wallet_id: str | None = None
    user_id: str | None = None
    wallet_ids: tuple[str, ...] = ()
    organization_id: str | None = None


NO_FILTER = EventFilter()


@dataclass(frozen=True, slots=True)
class Numbered:
    """What a call numbered.

    Attributes:
        events: how many events got their numbers.
        more: whether others may still wait.
        changes: how many of them of each type; entries of the ledger are not among these.
    """

    events: int
    more: bool
    changes: Mapping[str, int]


class EventRepository:
    """Numbers, reads and removes events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def number(self, limit: int, wait_ms: int) -> Numbered:
        """Give waiting events their numbers.

        Args:
            limit: about how many.
            wait_ms: milliseconds to wait while another call does it.
        """
        answer = await self._database.repeat("number_events", limit=limit, wait_ms=wait_ms)
        done: dict[str, Any] = json.loads(answer)
        return Numbered(done["numbered"], done["more"], done.get("changes", {}))

    async def read(self, after: int | None, limit: int, wanted: EventFilter = NO_FILTER) -> Events:
        """Events after a number; None: from the oldest that is kept.

        Raises:
            CursorExpired: events after it were removed; ``oldest_number`` is the oldest one.
            ValidationFailed: there was no such number yet.
            WalletNotFound: there is no such wallet, or the user does not own it.
        """
        answer = await self._database.read(
            "read_events",
            after=after,
            limit=limit,
            types=Json.of(wanted.types) if wanted.types else None,
            wallet_id=wanted.wallet_id,
            user_id=wanted.user_id,
            wallet_ids=Json.of(wanted.wallet_ids) if wanted.wallet_ids else None,
            organization_id=wanted.organization_id,
        )
        return read_events(answer)

    async def outbox(self) -> tuple[int, float]:
        """How many rows of the outbox wait, at most 10,000, and the age of the oldest in seconds."""
        state: dict[str, Any] = json.loads(await self._database.read("read_outbox"))
        return state["waiting"], state["oldest_s"]

    async def delete_old(self, keep_days: int, limit: int) -> tuple[int, bool]:
        """Remove events that are older: how many were removed, and whether more are to be."""
        answer = await self._database.repeat("delete_old_events", keep_days=keep_days, limit=limit)
        done: dict[str, Any] = json.loads(answer)
        return done["deleted"], done["more"]
