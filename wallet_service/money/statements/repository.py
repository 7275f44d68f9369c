"""Calls of the database functions that read the ledger."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.membership.visibility import Included, Visibility

Position: TypeAlias = tuple[str, str, int]
"""The position of an entry in a history: created_at or effective_at, wallet_id, wallet_version."""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a history, newest first.

    Attributes:
        items: a JSON array of entries, in the bytes of the database function.
        position: the position after which the next page begins; None at the end. A page can be empty and not be the last.
    """

    items: bytes
    position: Position | None


class StatementRepository:
    """Reads the ledger. ``viewer``: the user of the request, or None for a client."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def transaction(self, transaction_id: str, viewer: str | None) -> bytes:
        """A posting with its legs."""
        return await self._database.read("get_transaction", transaction_id=transaction_id, viewer=viewer)

    async def balance(self, wallet_id: str, viewer: str | None, at: str | None, by: str) -> bytes:
        """A wallet's balance, now (None) or at a past moment (RFC 3339); ``by``: posted or effective."""
        return await self._database.read("read_balance_at", wallet_id=wallet_id, viewer=viewer, at=at, by=by)

    async def wallet_page(
        self,
        wallet_id: str,
        viewer: str | None,
        filters: Mapping[str, Any],
        by: str,
        before: Position | None,
        limit: int,
    ) -> Page:
        """A page of a wallet's history; ``before``: the ``position`` of the previous page.

        By posting time only the version in it counts.
        """
        answer = await self._database.read(
            "list_wallet_transactions",
            wallet_id=wallet_id,
            viewer=viewer,
            filters=Json.of(filters),
            before=before and before[2],
            limit=limit,
            by=by,
            before_at=before[0] if before and by == "effective" else None,
        )
        return _page(answer)

    async def user_page(
        self,
        user_id: str,
        viewer: str | None,
        filters: Mapping[str, Any],
        by: str,
        before: Position | None,
        limit: int,
        visibility: Visibility,
    ) -> Page:
        """A page of the history of a user's visible wallets; ``before``: the ``position`` of the previous page."""
        before_at, before_wallet, before_version = before or (None, None, None)

        async def read(included: Included) -> bytes:
            return await self._database.read(
                "list_user_transactions",
                user_id=user_id,
                viewer=viewer,
                filters=Json.of(filters),
                before_at=before_at,
                before_wallet=before_wallet,
                before_version=before_version,
                limit=limit,
                **included._asdict(),
                by=by,
            )

        return _page(await visibility.read(read))


def _page(answer: bytes) -> Page:
    items, _, position = answer.rpartition(b"\n")
    if not position:
        return Page(items, None)
    created_at, wallet_id, wallet_version = json.loads(position)
    return Page(items, (created_at, wallet_id, wallet_version))
