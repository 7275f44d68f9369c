"""The SQL functions of grants and of their schedules."""

from collections.abc import Mapping
from typing import Any

from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.web.created import Created


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
        self,
        wallet_id: str,
        viewer: str | None,
        state: str | None,
        source: str | None,
        after: str | None,
        limit: int,
    ) -> tuple[bytes, str | None]:
        """A page of the grants of a wallet, newest first, and the id after which the next one begins.

        Raises:
            WalletNotFound: there is no such wallet, or it belongs to another user.
        """
        answer = await self._database.read(
            "list_grants",
            wallet_id=wallet_id,
            viewer=viewer,
            state=state,
            source=source,
            after=after,
            limit=limit,
        )
        items, _, following = answer.rpartition(b"\n")
        return items, following.decode() or None


class ScheduleRepository:
    """The schedules of wallets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        schedule_id: str,
        wallet_id: str,
        client_id: str,
        key: str | None,
        request_hash: str,
        schedule: Mapping[str, Any],
    ) -> Created:
        """Create a schedule, once for each key.

        Raises:
            WalletNotFound, WalletClosed, WalletMirrored: the wallet can't have one.
            IdempotencyKeyReused: the key was spent on another request.
            ValidationFailed, AmountPrecision: it is no schedule of this wallet's currency.
            GrantScheduleLimit: the wallet has as many as it may have.
            WalletBusy: another session has the wallet locked for too long.
        """
        answer = await self._database.repeat(
            "create_grant_schedule",
            schedule_id=schedule_id,
            wallet_id=wallet_id,
            client_id=client_id,
            key=key,
            request_hash=request_hash,
            schedule=Json.of(schedule),
            caller=caller_param(),
        )
        return Created.of(answer, "schedule")

    async def all(self, wallet_id: str, viewer: str | None) -> bytes:
        """The schedules of a wallet. ``viewer``: the user that it must belong to, or None for any.

        Raises:
            WalletNotFound: there is no such wallet.
        """
        return await self._database.read("list_grant_schedules", wallet_id=wallet_id, viewer=viewer)

    async def get(self, wallet_id: str, schedule_id: str, viewer: str | None) -> bytes:
        """A schedule of a wallet.

        Raises:
            WalletNotFound: there is no such wallet, or it belongs to another user.
            GrantScheduleNotFound: the wallet has none with this id.
        """
        return await self._database.read(
            "get_grant_schedule", wallet_id=wallet_id, schedule_id=schedule_id, viewer=viewer
        )

    async def update(
        self, wallet_id: str, schedule_id: str, version: int | None, changes: Mapping[str, Any]
    ) -> bytes:
        """Apply a merge patch, if the schedule has this version (None: any), and return it.

        Raises:
            WalletNotFound, WalletClosed: of the wallet.
            GrantScheduleNotFound: the wallet has no such schedule.
            VersionMismatch: it has changed since.
            ValidationFailed, AmountPrecision: it would be no schedule of this wallet's currency.
            WalletBusy: another session has the wallet locked for too long.
        """
        return await self._database.call(
            "update_grant_schedule",
            wallet_id=wallet_id,
            schedule_id=schedule_id,
            version=version,
            changes=Json.of(changes),
            caller=caller_param(),
        )

    async def delete(self, wallet_id: str, schedule_id: str, version: int | None) -> None:
        """Delete a schedule, if it has this version (None: any); raises as ``update``."""
        await self._database.call(
            "delete_grant_schedule",
            wallet_id=wallet_id,
            schedule_id=schedule_id,
            version=version,
            caller=caller_param(),
        )
