"""The SQL function about credits."""

import json
from typing import Any

from wallet_service.core.identifiers import new_id
from wallet_service.platform.database.gateway import Database


class CreditsRepository:
    """Finds the wallet that holds a user's credits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def wallet(
        self,
        user_id: str,
        client_id: str | None = None,
        idempotency_key: str | None = None,
        *,
        verified: bool | None = True,
    ) -> dict[str, Any]:
        """The user's primary CREDIT wallet, made with balance 0 when there is none: safe to ask again.

        With a key that the client spent on the user's credits before, the wallet that it was spent on. ``verified``:
        False marks a new wallet as unverified; None makes none.

        Raises:
            UserUnknown: None, and there is none.
        """
        return json.loads(
            await self._database.read(
                "find_credits_wallet",
                user_id=user_id,
                wallet_id=new_id(),
                client_id=client_id,
                idempotency_key=idempotency_key,
                verified=verified,
            )
        )
