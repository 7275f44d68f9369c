"""The SQL function that imports."""

import json
from collections.abc import Sequence
from typing import Any

from wallet_service.database.gateway import RESEND, Database, Json


class ImportRepository:
    """Makes wallets with opening balances."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_all(self, client_id: str, lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Make wallets, each once for its key: an outcome for each, in order."""
        async for attempt in RESEND.copy():
            with attempt:
                answer = await self._database.call(
                    "import_wallets", client_id=client_id, lines=Json.of(list(lines))
                )
                return json.loads(answer)
        raise AssertionError("tenacity re-raises the last error")  # pragma: no cover
