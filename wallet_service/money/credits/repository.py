"""The SQL functions of credits."""

import json
from typing import Any

from wallet_service.core.identifiers import new_id
from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database


class CreditsRepository:
    """Reads, finds and creates the wallet from which a user's credits are consumed: the primary CREDIT wallet."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def balance(self, user_id: str) -> bytes:
        """The balance as JSON; 0 and no ``wallet_id`` where the user has no such wallet."""
        return await self._database.read("get_credits", user_id=user_id)

    async def find(self, user_id: str, client_id: str, idempotency_key: str | None) -> str:
        """The id of the wallet; with a key that the client spent on the user's credits, that of the wallet then used.

        Raises:
            UserUnknown: the user has none.
        """
        found = await self._wallet(user_id, client_id, idempotency_key, verified=None)
        return found["wallet_id"]

    async def create(self, user_id: str, *, verified: bool) -> str:
        """The id of the wallet; where the user has none, it is created with balance 0. Safe to repeat.

        Args:
            user_id: the user.
            verified: False marks a new wallet as unverified.
        """
        found = await self._wallet(user_id, None, None, verified=verified)
        return found["wallet_id"]

    async def _wallet(
        self, user_id: str, client_id: str | None, idempotency_key: str | None, *, verified: bool | None
    ) -> dict[str, Any]:
        return json.loads(
            await self._database.read(
                "find_credits_wallet",
                user_id=user_id,
                wallet_id=new_id(),
                client_id=client_id,
                idempotency_key=idempotency_key,
                verified=verified,
                caller=caller_param(),
            )
        )
