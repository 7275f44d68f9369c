"""The SQL functions that read holds."""

from collections.abc import Mapping

from wallet_service.platform.database.gateway import Database, Json


class HoldRepository:
    """Reads holds. Operations place and change them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, hold_id: str, viewer: str | None) -> bytes:
        """A hold. ``viewer``: the user that its wallet must belong to, or None for any.

        Raises:
            HoldNotFound: there is none.
        """
        return await self._database.read("get_hold", hold_id=hold_id, viewer=viewer)

    async def page(
        self,
        wallet_id: str,
        viewer: str | None,
        filters: Mapping[str, str],
        before: tuple[str, str] | None,
        limit: int,
    ) -> tuple[bytes, list[str] | None]:
        """A page of the holds of a wallet, newest first, and the position after which the next one begins.

        Raises:
            WalletNotFound: there is no such wallet, or it belongs to another user.
        """
        moment, hold_id = before or (None, None)
        answer = await self._database.read(
            "list_holds",
            wallet_id=wallet_id,
            viewer=viewer,
            filters=Json.of(filters),
            before=moment,
            before_id=hold_id,
            limit=limit,
        )
        items, _, following = answer.rpartition(b"\n")
        return items, following.decode().split() or None
