"""The SQL functions of alerts."""

from collections.abc import Mapping
from typing import Any

from wallet_service.core.identifiers import new_id
from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.web.created import Created, request_hash


class AlertRepository:
    """Reads and changes the alerts of wallets. ``user_id``: the user that the wallet must belong to, or None for any."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, client_id: str, key: str | None, wallet_id: str, user_id: str | None, alert: Mapping[str, Any]
    ) -> Created:
        """Create an alert of the owner (with ``user_id``) or of the operator, once for each key of the client.

        Raises:
            IdempotencyKeyReused: the key was spent on another request.
            WalletNotFound, WalletClosed: the wallet can't have alerts.
            AlertLimit: it has as many as it may have.
            AmountPrecision, ValidationFailed: it is not an alert of this wallet's currency.
            WalletBusy: another session has the wallet locked for too long.
        """
        answer = await self._database.repeat(
            "create_alert",
            alert_id=new_id(),
            client_id=client_id,
            key=key,
            request_hash=request_hash(1, wallet_id, alert),
            wallet_id=wallet_id,
            user_id=user_id,
            alert=Json.of(alert),
            caller=caller_param(),
        )
        return Created.of(answer, "alert")

    async def get(self, wallet_id: str, alert_id: str, viewer: str | None) -> bytes:
        """An alert of a wallet.

        Raises:
            WalletNotFound, AlertNotFound: there is none.
        """
        return await self._database.read("get_alert", wallet_id=wallet_id, alert_id=alert_id, viewer=viewer)

    async def page(
        self, wallet_id: str, viewer: str | None, after: str | None, limit: int
    ) -> tuple[bytes, str | None]:
        """A page of the alerts of a wallet, newest first, and the id after which the next one begins.

        Raises:
            WalletNotFound: there is no such wallet.
        """
        answer = await self._database.read(
            "list_alerts", wallet_id=wallet_id, viewer=viewer, after=after, limit=limit
        )
        items, _, following = answer.rpartition(b"\n")
        return items, following.decode() or None

    async def update(
        self,
        wallet_id: str,
        alert_id: str,
        user_id: str | None,
        version: int | None,
        changes: Mapping[str, Any],
    ) -> bytes:
        """Change an alert of the caller's side, if it has this version (None: any).

        Raises:
            AlertNotFound, AlertNotOwn, VersionMismatch: it can't be changed so.
            WalletNotFound, WalletClosed, AmountPrecision, ValidationFailed, WalletBusy: as ``create``.
        """
        return await self._database.call(
            "update_alert",
            wallet_id=wallet_id,
            alert_id=alert_id,
            user_id=user_id,
            version=version,
            changes=Json.of(changes),
            caller=caller_param(),
        )

    async def delete(self, wallet_id: str, alert_id: str, user_id: str | None, version: int | None) -> None:
        """Delete an alert of the caller's side, if it has this version (None: any). Its wallet may be closed.

        Raises:
            AlertNotFound, AlertNotOwn, VersionMismatch, WalletNotFound, WalletBusy: as ``update``.
        """
        await self._database.call(
            "delete_alert",
            wallet_id=wallet_id,
            alert_id=alert_id,
            user_id=user_id,
            version=version,
            caller=caller_param(),
        )

    async def burn_rate(self, wallet_id: str, viewer: str | None) -> bytes:
        """How fast a wallet is spent.

        Raises:
            WalletNotFound: there is no such wallet.
        """
        return await self._database.read("read_burn_rate", wallet_id=wallet_id, viewer=viewer)
