"""Calls the database function that imports wallets."""

import json
from collections.abc import Sequence
from typing import Any

from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json


class ImportRepository:
    """Creates wallets with opening balances."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_all(
        self, client_id: str, lines: Sequence[dict[str, Any]], *, verified: bool, dry_run: bool = False
    ) -> list[dict[str, Any]]:
        """Create wallets, each once for its key, and return an outcome for each, in order.

        Args:
            client_id: the client that the keys belong to.
            lines: objects with wallet_id, key, wallet and deposit.
            verified: False marks the wallets as unverified.
            dry_run: the outcomes are the same, and nothing is kept.
        """
        lines_of_call = Json.of(list(lines))
        return json.loads(
            await self._database.repeat(
                "import_wallets",
                client_id=client_id,
                lines=lines_of_call,
                verified=verified,
                dry_run=dry_run,
                caller=caller_param(),
            )
        )
