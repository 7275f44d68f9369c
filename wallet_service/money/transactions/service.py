"""Who may move what, and how a request becomes operations of the ledger."""

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wallet_service.core.errors import BatchAborted, Forbidden, WalletError
from wallet_service.ledger.group_commit import Ledger
from wallet_service.ledger.operation_types import TransactionType
from wallet_service.ledger.operations import Operation, Unit
from wallet_service.ledger.outcomes import Outcome, Posted, Refused
from wallet_service.money.transactions.hooks import PostingHooks
from wallet_service.money.transactions.schemas import (
    BatchOperation,
    BatchRequest,
    Details,
    MoneyRequest,
    RefundRequest,
    TransferRequest,
)
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.membership.access import WalletAccess
from wallet_service.platform.web.idempotency import LONGEST, chosen_key
from wallet_service.platform.web.problems import validation_problem

MINTING: frozenset[TransactionType] = frozenset({"deposit", "reward", "refund"})
"""What puts money into a user's wallet: never by the user's own token."""

LONGEST_BATCH_KEY = LONGEST - len("/499")

_OPERATION: TypeAdapter[Any] = TypeAdapter(BatchOperation)


class TransactionService:
    """Moves money for a caller."""

    def __init__(self, ledger: Ledger, caller: Principal, access: WalletAccess, hooks: PostingHooks) -> None:
        self._ledger = ledger
        self._caller = caller
        self._access = access
        self._hooks = hooks

    async def move(
        self,
        kind: TransactionType,
        wallet_id: str,
        request: MoneyRequest | TransferRequest,
        header_key: str | None,
    ) -> Posted:
        """Post one movement or transfer.

        Raises:
            WalletError: the refusal.
        """
        return await self._post(kind, request, {"wallet_id": wallet_id}, header_key)

    async def refund(self, transaction_id: str, request: RefundRequest, header_key: str | None) -> Posted:
        """Give back all or part of an earlier posting.

        Raises:
            WalletError: the refusal.
        """
        return await self._post("refund", request, {"original_transaction_id": transaction_id}, header_key)

    async def batch(self, request: BatchRequest, header_key: str | None) -> list[Outcome]:
        """Post a batch; the outcomes in order. Without ``atomic`` each operation stands alone."""
        read = [
            self._read(document, f"{header_key}/{index}" if header_key is not None else None)
            for index, document in enumerate(_unread(request))
        ]
        if self._caller.is_user and self._access.asks:
            read = await asyncio.gather(*(self._accessible(each) for each in read))
        faults = {index: each for index, each in enumerate(read) if isinstance(each, Refused)}
        if request.atomic and faults:
            return _aborted(len(read), *min(faults.items()))
        operations = tuple(each for each in read if isinstance(each, Operation))
        if not operations:
            return list(faults.values())
        await self._hooks.check(self._caller, operations)
        unit = Unit(operations, atomic=request.atomic, dry_run=request.dry_run)
        posted = await self._ledger.post(unit)
        self._hooks.report(operations, posted)
        outcomes = iter(posted)
        return [faults[index] if index in faults else next(outcomes) for index in range(len(read))]

    async def _post(
        self,
        kind: TransactionType,
        request: MoneyRequest | TransferRequest | RefundRequest,
        place: dict[str, str],
        header_key: str | None,
    ) -> Posted:
        key = chosen_key(header_key, request.idempotency_key)
        operation = self._operation(kind, request, place, key)
        await self._check_access(operation)
        await self._hooks.check(self._caller, (operation,))
        posted = await self._ledger.post_one(operation, dry_run=request.dry_run)
        self._hooks.report((operation,), (posted,))
        return posted

    async def _check_access(self, operation: Operation) -> None:
        if self._caller.user_id is not None:
            for wallet in ("wallet_id", "to_wallet_id"):
                if wallet in operation.members:
                    await self._access.check_access(self._caller.user_id, operation.members[wallet])

    async def _accessible(self, read: Operation | Refused) -> Operation | Refused:
        """An operation of a batch that the user may do, or why not."""
        if isinstance(read, Refused):
            return read
        try:
            await self._check_access(read)
        except WalletError as error:
            return Refused(error)
        return read

    def _operation(
        self, kind: TransactionType, details: Details, place: dict[str, str], key: str | None
    ) -> Operation:
        if self._caller.is_user and kind in MINTING:
            raise Forbidden(f"A user's token can't {kind}")
        members = details.members()
        if self._caller.is_user and "counter_account" in members:
            raise Forbidden("A user's token can't choose the counter account")
        return Operation(
            type=kind,
            client_id=self._caller.client_id,
            acting_user_id=self._caller.user_id,
            idempotency_key=key,
            members={**members, **place},
        )

    def _read(self, document: object, batch_key: str | None) -> Operation | Refused:
        """An operation of a batch, or why there is none."""
        try:
            item = _OPERATION.validate_python(document)
            key: str | None = item.idempotency_key
            return self._operation(item.type, item, {}, key if key is not None else batch_key)
        except ValidationError as error:
            errors = [{**found, "loc": ("body", *_without_tag(found["loc"]))} for found in error.errors()]
            return Refused(validation_problem(errors))
        except WalletError as error:
            return Refused(error)


def _unread(request: BatchRequest) -> Sequence[object]:
    """The operations as they came: the schema describes them and leaves their validation to this room."""
    return request.operations


def _without_tag(place: Sequence[int | str]) -> Sequence[int | str]:
    """Pydantic puts the chosen type before the member's name; the caller knows no such step."""
    return place[1:] if len(place) > 1 else place


def _aborted(size: int, index: int, fault: Refused) -> list[Outcome]:
    aborted = Refused(BatchAborted(index=index))
    return [fault if place == index else aborted for place in range(size)]
