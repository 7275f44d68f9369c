"""The SQL functions of limits."""

from collections.abc import Mapping, Sequence
from typing import Any

from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json


class LimitRepository:
    """Reads and replaces the limits of wallets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, wallet_id: str, user_id: str | None) -> bytes:
        """The limits of a wallet. ``user_id``: the user that it must belong to, or None for any.

        Raises:
            WalletNotFound: there is no such wallet.
        """
        return await self._database.read("get_limits", wallet_id=wallet_id, user_id=user_id)

    async def replace(
        self, wallet_id: str, user_id: str | None, version: int | None, limits: Sequence[Mapping[str, Any]]
    ) -> bytes:
        """Replace the limits of the owner (with ``user_id``) or of the operator, if the set has this version (None: any).

        Raises:
            WalletNotFound, WalletClosed, WalletMirrored: the wallet can't have limits.
            VersionMismatch: the limits have changed since.
            ValidationFailed, AmountPrecision: they are not limits of this wallet's currency.
            WalletBusy: another session has the wallet locked for too long.
        """
        return await self._database.call(
            "replace_limits",
            wallet_id=wallet_id,
            user_id=user_id,
            version=version,
            limits=Json.of(limits),
            caller=caller_param(),
        )
