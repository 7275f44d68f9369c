"""Grants as operations of the ledger, and the schedules that create them."""

import json
from collections.abc import Mapping
from typing import Any

from wallet_service.billing.grants.repository import ScheduleRepository
from wallet_service.billing.grants.schedule_schemas import GrantScheduleCreate
from wallet_service.billing.grants.schemas import ACCOUNTS, GrantCreate, GrantVoid
from wallet_service.billing.grants.settings import GrantsSettings
from wallet_service.core.caller import current_caller
from wallet_service.core.identifiers import new_id
from wallet_service.ledger.outcomes import Posted
from wallet_service.money.transactions.service import TransactionService
from wallet_service.platform.web.created import Created, request_hash


async def create_grant(
    transactions: TransactionService,
    settings: GrantsSettings,
    wallet_id: str,
    request: GrantCreate,
    key: str | None,
) -> Posted:
    """Grant credits, now or from a later moment.

    Raises:
        WalletError: the refusal.
    """
    posting = request.as_posting(settings)
    return await transactions.decide_by_room(
        "grant",
        wallet_id,
        key,
        amount=posting.amount,
        counter_account=posting.counter_account,
        terms=posting.terms,
        caller=current_caller().document(),
        details=posting.details,
        dry_run=request.dry_run,
    )


async def void_grant(
    transactions: TransactionService, grant: Mapping[str, Any], request: GrantVoid, key: str | None
) -> Posted:
    """Take back what is left of a grant.

    The operation names its whole amount and its counter account: they bound what moves, for keys that are restricted.

    Raises:
        WalletError: the refusal.
    """
    return await transactions.decide_by_room(
        "grant_void",
        grant["wallet_id"],
        key,
        amount=grant["amount"],
        counter_account=grant["counter_account"],
        terms={"grant_id": grant["grant_id"]},
        caller=current_caller().document(),
        details={} if request.description is None else {"description": request.description},
    )


class ScheduleService:
    """The schedules of wallets, for the caller of one request.

    A restricted key sets and stops only what it could grant.

    Args:
        repository: stores them.
        transactions: knows what the caller may post.
        settings: of the room.
        client_id: of the caller.
    """

    def __init__(
        self,
        repository: ScheduleRepository,
        transactions: TransactionService,
        settings: GrantsSettings,
        client_id: str,
    ) -> None:
        self._repository = repository
        self._transactions = transactions
        self._settings = settings
        self._client_id = client_id

    async def create(self, wallet_id: str, request: GrantScheduleCreate, key: str | None) -> Created:
        """Create a schedule, once for each key.

        Raises:
            Forbidden: the key may not grant this.
            WalletError: as ``ScheduleRepository.create``.
        """
        asked = request.model_dump(mode="json", exclude_none=True, exclude={"idempotency_key"})
        account = request.counter_account or ACCOUNTS[request.source]
        await self._check(wallet_id, request.amount, account)
        return await self._repository.create(
            new_id(),
            wallet_id,
            self._client_id,
            key,
            request_hash(1, wallet_id, asked),
            {**asked, "defaults": self._settings.defaults()},
        )

    async def update(
        self, wallet_id: str, schedule_id: str, version: int | None, changes: Mapping[str, Any]
    ) -> bytes:
        """Change a schedule, and return it.

        Raises:
            Forbidden: the key may not grant this.
            WalletError: as ``ScheduleRepository.update``.
        """
        found = json.loads(await self._repository.get(wallet_id, schedule_id, None))
        for amount in {found["amount"], changes.get("amount", found["amount"])}:
            await self._check(wallet_id, amount, found["counter_account"])
        return await self._repository.update(wallet_id, schedule_id, version, changes)

    async def delete(self, wallet_id: str, schedule_id: str, version: int | None) -> None:
        """Delete a schedule.

        Raises:
            Forbidden: the key could not grant this.
            WalletError: as ``ScheduleRepository.delete``.
        """
        found = json.loads(await self._repository.get(wallet_id, schedule_id, None))
        await self._check(wallet_id, found["amount"], found["counter_account"])
        await self._repository.delete(wallet_id, schedule_id, version)

    async def _check(self, wallet_id: str, amount: str, counter_account: str) -> None:
        await self._transactions.check_planned(
            "grant", wallet_id, amount=amount, counter_account=counter_account
        )
