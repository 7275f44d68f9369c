"""Calls of the database functions for wallets."""

from collections.abc import Mapping
from typing import Any

from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.membership.visibility import Included, Visibility
from wallet_service.platform.web.created import Created


class WalletRepository:
    """Reads and changes wallets. Balances change only through the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        wallet_id: str,
        client_id: str,
        idempotency_key: str | None,
        wallet: Mapping[str, Any],
        deposit: Mapping[str, Any] | None,
        *,
        verified: bool | None = True,
    ) -> Created:
        """Create a wallet, once for each id and key, so the call can be repeated.

        Args:
            wallet_id: the id of the wallet, if it is created.
            client_id: the client that the key belongs to.
            idempotency_key: the idempotency key of the request.
            wallet: the members of the wallet.
            deposit: the members of the deposit for the opening balance; None for no deposit.
            verified: whether the user is known to exist. False marks the wallet as unverified. With None, no wallet is
                created, and only a replay succeeds.

        Raises:
            UserUnknown: ``verified`` is None, and the key is not spent.
        """
        answer = await self._database.repeat(
            "create_wallet",
            wallet_id=wallet_id,
            client_id=client_id,
            idempotency_key=idempotency_key,
            wallet=Json.of(wallet),
            deposit=Json.of(deposit) if deposit is not None else None,
            verified=verified,
            caller=caller_param(),
        )
        return Created.of(answer, "wallet")

    async def get(self, wallet_id: str, user_id: str | None) -> bytes:
        """A wallet. ``user_id``: the user that it must belong to, or None for any."""
        return await self._database.read("get_wallet", wallet_id=wallet_id, user_id=user_id)

    async def update(
        self, wallet_id: str, user_id: str | None, version: int | None, changes: Mapping[str, Any]
    ) -> bytes:
        """Apply a merge patch, if the wallet has this version (None: any)."""
        return await self._database.call(
            "update_wallet",
            wallet_id=wallet_id,
            user_id=user_id,
            version=version,
            changes=Json.of(changes),
            caller=caller_param(),
        )

    async def close(self, wallet_id: str, user_id: str | None, version: int | None) -> bytes:
        """Close an empty wallet, if it has this version (None: any)."""
        return await self._database.call(
            "close_wallet",
            wallet_id=wallet_id,
            user_id=user_id,
            version=version,
            caller=caller_param(),
        )

    async def page_of_user(
        self,
        user_id: str,
        filters: Mapping[str, str | None],
        after: str | None,
        limit: int,
        visibility: Visibility,
    ) -> tuple[bytes, str | None]:
        """A page of the user's visible wallets: the items, and the wallet_id after which the next page begins."""

        async def read(included: Included) -> bytes:
            return await self._database.read(
                "list_user_wallets",
                user_id=user_id,
                **filters,
                after=after,
                limit=limit,
                **included._asdict(),
            )

        return _page(await visibility.read(read))

    async def page_of_all(
        self, verified: bool | None, after: str | None, limit: int
    ) -> tuple[bytes, str | None]:
        """The same for the wallets of all users: verified ones, unverified ones, or all (None)."""
        return _page(await self._database.read("list_wallets", verified=verified, after=after, limit=limit))


def _page(answer: bytes) -> tuple[bytes, str | None]:
    items, _, following = answer.rpartition(b"\n")
    return items, following.decode() or None
