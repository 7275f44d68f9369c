"""The SQL functions that read grants."""

from wallet_service.platform.database.gateway import Database


class GrantRepository:
    """Reads grants. Operations create and void them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, grant_id: str, viewer: str | None) -> bytes:
        """A grant. ``viewer``: the user that its wallet must belong to, or None for any.

        Raises:
            GrantNotFound: there is none.
        """
        return await self._database.read("get_grant", grant_id=grant_id, viewer=viewer)

    async def page(
        self, wallet_id: str, viewer: str | None, state: str | None, after: str | None, limit: int
    ) -> tuple[bytes, str | None]:
        """A page of the grants of a wallet, newest first, and the id after which the next one begins.

        Raises:
            WalletNotFound: there is no such wallet, or it belongs to another user.
        """
        answer = await self._database.read(
            "list_grants", wallet_id=wallet_id, viewer=viewer, state=state, after=after, limit=limit
        )
        items, _, following = answer.rpartition(b"\n")
        return items, following.decode() or None
