"""Who may move what, and how a request becomes operations of the ledger."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request

from wallet_service.core.caller import current_caller
from wallet_service.core.errors import Forbidden, IdempotencyKeyReused, WalletError
from wallet_service.ledger.group_commit import Ledger
from wallet_service.ledger.operation_types import TransactionType
from wallet_service.ledger.operations import EntryOf, Operation, Owner, Unit
from wallet_service.ledger.outcomes import Outcome, Posted, Refused
from wallet_service.money.schemas import MoneyRequest, Movement
from wallet_service.money.transactions.batches import aborted, read_operation, unread
from wallet_service.money.transactions.hooks import PostingHooks
from wallet_service.money.transactions.restrictions import check_restriction
from wallet_service.money.transactions.room_operations import BatchRoomOperation
from wallet_service.money.transactions.schemas import (
    AdjustmentDetails,
    AdjustRequest,
    BatchEntries,
    BatchRefund,
    BatchRequest,
    EntriesDetails,
    EntriesRequest,
    RefundDetails,
    RefundRequest,
    TransferDetails,
    TransferRequest,
)
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.membership.access import CallerAccess, caller_access
from wallet_service.platform.web.idempotency import LONGEST, CallAttempt, call_attempt

LONGEST_BATCH_KEY = LONGEST - len("/499")

_MOST_SENDINGS = 1000
"""More than a unit is ever sent."""


class TransactionService:
    """Moves money for the caller of one request.

    Args:
        ledger: where it is posted.
        caller: of the request.
        access: the wallets on which the caller may act.
        hooks: of other rooms.
        attempt: which attempt of which call the request is.
    """

    def __init__(
        self,
        ledger: Ledger,
        caller: Principal,
        access: CallerAccess,
        hooks: PostingHooks,
        attempt: CallAttempt,
    ) -> None:
        self._ledger = ledger
        self._attempt = attempt
        self._caller = caller
        self._access = access
        self._hooks = hooks

    @classmethod
    def of_request(cls, request: Request, caller: Principal) -> "TransactionService":
        """The service of the application, for the caller of this request.

        Raises:
            ValidationFailed, IdempotencyKeyConflict: the headers of the attempt can't be read.
        """
        state = request.app.state
        return cls(state.ledger, caller, caller_access(request), state.posting_hooks, call_attempt(request))

    async def move(
        self,
        kind: TransactionType,
        wallet_id: str,
        request: MoneyRequest | TransferRequest,
        key: str | None,
    ) -> Posted:
        """Post one movement or transfer.

        Args:
            kind: its type.
            wallet_id: the wallet that is debited or credited; the caller's access to it was checked, as the path's.
            request: the body.
            key: the idempotency key of the request.

        Raises:
            WalletError: the refusal.
        """
        return await self._post(self._operation(kind, request, key, wallet_id=wallet_id), request.dry_run)

    async def move_by(
        self, kind: TransactionType, wallet_id: str, members: Mapping[str, Any], key: str | None
    ) -> Posted:
        """As ``move``, by the members of a body that a room above has checked."""
        return await self.move(kind, wallet_id, MoneyRequest.model_validate(members), key)

    async def move_of_user(
        self,
        kind: TransactionType,
        owner: Owner,
        request: MoneyRequest,
        key: str | None,
        *,
        again: bool = False,
    ) -> Posted:
        """Post one movement on the wallet from which a user spends in a currency; the ledger finds it.

        Only where the caller may act on each wallet of the user.

        Args:
            kind: its type.
            owner: names the wallet.
            request: the body.
            key: the idempotency key of the request.
            again: the second time for this request, because the wallet was not found.

        Raises:
            WalletNotFound: the user has no open wallet in the currency.
            WalletError: the refusal.
        """
        operation = self._operation(kind, request, key, owner=owner)
        # The first refusal may have left a tombstone. What is sent after it is decided again.
        return await self._post(operation, request.dry_run, sent_before=_MOST_SENDINGS if again else 0)

    async def refund(self, transaction_id: str, request: RefundRequest, key: str | None) -> Posted:
        """Give back all or part of an earlier posting.

        Raises:
            WalletError: the refusal.
        """
        operation = self._operation("refund", request, key, original_transaction_id=transaction_id)
        return await self._post(operation, request.dry_run)

    async def adjust(self, wallet_id: str, request: AdjustRequest, key: str | None) -> Posted:
        """Correct a balance.

        Raises:
            WalletError: the refusal.
        """
        return await self._post(
            self._operation("adjustment", request, key, wallet_id=wallet_id), request.dry_run
        )

    async def post_entries(self, request: EntriesRequest, key: str | None) -> Posted:
        """Post an operation of several entries.

        Raises:
            WalletError: the refusal.
        """
        return await self._post(self._operation(request.type, request, key), request.dry_run)

    async def decide_by_room(
        self,
        kind: TransactionType,
        wallet_id: str,
        key: str | None,
        *,
        terms: Mapping[str, Any],
        caller: Mapping[str, str],
        amount: str | None = None,
        counter_account: str | None = None,
        details: Mapping[str, Any] | None = None,
        to_wallet_id: str | None = None,
        dry_run: bool = False,
    ) -> Posted:
        """Post an operation of a type that a room decides; the result is the room's.

        Args: as ``room_operation``; ``dry_run``: whether nothing is kept.

        Raises:
            WalletError: the refusal.
        """
        operation = self.room_operation(
            kind,
            wallet_id,
            key,
            terms,
            caller,
            amount=amount,
            counter_account=counter_account,
            details=details,
            to_wallet_id=to_wallet_id,
        )
        return await self._post(operation, dry_run)

    def room_operation(
        self,
        kind: TransactionType,
        wallet_id: str,
        key: str | None,
        terms: Mapping[str, Any],
        caller: Mapping[str, Any],
        *,
        index: int = 0,
        amount: str | None = None,
        counter_account: str | None = None,
        details: Mapping[str, Any] | None = None,
        to_wallet_id: str | None = None,
    ) -> Operation:
        """An operation of a type that a room decides.

        Args:
            kind: its type.
            wallet_id: the wallet; the caller's access to it is checked when it is posted, or was, as the path's.
            key: its idempotency key.
            terms: what the room's function reads.
            caller: for the audit trail.
            index: its place in the request.
            amount: in the wallet's currency, if the type has one.
            counter_account: the other side, if the type has one.
            details: what is stored with the posting.
            to_wallet_id: the second wallet, if the type is about two; access to it is checked when it is posted.

        Raises:
            Forbidden: the caller lacks the permission for this type.
        """
        self._caller.require(self._hooks.permissions[kind])
        if self._hooks.types[kind].checks_restriction and self._caller.restriction is not None:
            caller = {**caller, "restriction": self._caller.restriction.document()}
        return Operation(
            type=kind,
            client_id=self._caller.client_id,
            acting_user_id=self._caller.user_id,
            idempotency_key=key,
            wallet_id=wallet_id,
            to_wallet_id=to_wallet_id,
            amount=amount,
            counter_account=counter_account,
            terms=terms,
            caller=caller,
            details=details or {},
            transaction_id=self._attempt.transaction_id(self._caller.client_id, index),
        )

    async def check_planned(
        self, kind: TransactionType, wallet_id: str, *, amount: str, counter_account: str
    ) -> None:
        """Refuse what the caller may not post, without posting it: something that posts such operations later by itself.

        Args:
            kind: the type of the operations.
            wallet_id: the wallet; the caller's access to it was checked.
            amount: the most that one of them moves.
            counter_account: their other side.

        Raises:
            Forbidden: the caller lacks the permission, or its key is restricted to less.
        """
        self.require(kind)
        if self._access.restricted is not None:
            planned = Operation(
                type=kind,
                client_id=self._caller.client_id,
                wallet_id=wallet_id,
                amount=amount,
                counter_account=counter_account,
            )
            await check_restriction(self._access.restricted, planned, self._hooks.types)

    def require(self, kind: TransactionType) -> None:
        """Refuse a caller without the permission for operations of a type.

        Raises:
            Forbidden: with the permission as a fact.
        """
        self._caller.require(self._hooks.permissions[kind])

    async def batch(self, request: BatchRequest, header_key: str | None) -> list[Outcome]:
        """Post a batch; the outcomes in order. Without ``atomic`` each operation stands alone."""
        read = [
            self._read(index, document, f"{header_key}/{index}" if header_key is not None else None)
            for index, document in enumerate(unread(request))
        ]
        return await self.post_each(read, atomic=request.atomic, dry_run=request.dry_run)

    async def post_each(
        self, read: Sequence[Operation | Refused], *, atomic: bool, dry_run: bool
    ) -> list[Outcome]:
        """Post the operations of a batch that could be read; the outcomes of all, in order."""
        if self._access.checks or self._hooks.checks:
            read = await asyncio.gather(*(self._permitted(each) for each in read))
        faults = {index: each for index, each in enumerate(read) if isinstance(each, Refused)}
        if atomic and faults:
            return aborted(len(read), *min(faults.items()))
        operations = tuple(each for each in read if isinstance(each, Operation))
        if not operations:
            return list(faults.values())
        unit = Unit(operations, atomic=atomic, dry_run=dry_run, attempt=self._attempt.number)
        posted = [
            Refused(self._explained(operation, outcome.error)) if isinstance(outcome, Refused) else outcome
            for operation, outcome in zip(operations, await self._ledger.post(unit), strict=True)
        ]
        self._hooks.report(operations, posted)
        outcomes = iter(posted)
        return [faults[index] if index in faults else next(outcomes) for index in range(len(read))]

    async def _post(self, operation: Operation, dry_run: bool, *, sent_before: int = 0) -> Posted:
        if self._access.restricted is not None:
            await check_restriction(self._access.restricted, operation, self._hooks.types)
        elif self._access.checks:
            await self._check_others(operation)
        await self._hooks.check(self._caller, operation)
        try:
            posted = await self._ledger.post_one(
                operation, dry_run=dry_run, attempt=self._attempt.number, sent_before=sent_before
            )
        except (IdempotencyKeyReused, Forbidden) as error:
            raise self._explained(operation, error) from error
        self._hooks.report((operation,), (posted,))
        return posted

    async def _check_others(self, operation: Operation) -> None:
        """Check the caller's access to the wallets of an operation, but for the wallet of a path, which is checked there.

        Raises:
            Forbidden, UpstreamUnavailable: as ``CallerAccess.check``.
        """
        if operation.to_wallet_id is not None:
            await self._access.check(operation.to_wallet_id)
        for entry in operation.entries:
            await self._access.check(entry.wallet_id)
        if operation.original_transaction_id is not None:
            await self._access.check_posting(operation.original_transaction_id)

    def _explained(self, operation: Operation, error: WalletError) -> WalletError:
        """A refusal of the kernel, with what it means for this caller."""
        if (
            isinstance(error, Forbidden)
            and self._caller.is_user
            and error.facts.keys() <= {"supersedes_earlier_attempts"}
        ):
            kind = operation.type
            detail = f"A user's token can't post the type {kind} in an operating wallet, only in its own mirrored ones"
            return Forbidden(detail, **error.facts)
        is_call = self._attempt.call_id is not None and isinstance(error, IdempotencyKeyReused)
        if is_call and error.facts.get("transaction_id") == operation.transaction_id:
            # Which of the caller's two names was used before.
            error.detail = "Idempotency-Call was used for another request; each call needs a new one"
        return error

    async def _permitted(self, read: Operation | Refused) -> Operation | Refused:
        """An operation of a batch that the caller may post, or its refusal."""
        if isinstance(read, Refused):
            return read
        try:
            if self._access.restricted is not None:
                await check_restriction(self._access.restricted, read, self._hooks.types)
            else:
                if read.wallet_id is not None:
                    await self._access.check(read.wallet_id)
                await self._check_others(read)
            await self._hooks.check(self._caller, read)
        except WalletError as error:
            return Refused(error)
        return read

    def _operation(
        self,
        kind: TransactionType,
        request: Movement | TransferDetails | RefundDetails | AdjustmentDetails | EntriesDetails,
        key: str | None,
        *,
        wallet_id: str | None = None,
        original_transaction_id: str | None = None,
        owner: Owner | None = None,
        index: int = 0,
    ) -> Operation:
        """The operation of a request.

        Raises:
            Forbidden: the caller lacks the permission for this type, or it is not for users.
        """
        self._caller.require(self._hooks.permissions[kind])
        is_adjustment = isinstance(request, AdjustmentDetails)
        counter_account = request.counter_account if is_adjustment or isinstance(request, Movement) else None
        if self._caller.is_user and counter_account is not None:
            self._check_users_account(kind, counter_account)
        entries = request.entries if isinstance(request, EntriesDetails) else ()
        extra = request.model_extra
        return Operation(
            type=kind,
            client_id=self._caller.client_id,
            acting_user_id=self._caller.user_id,
            idempotency_key=key,
            wallet_id=wallet_id,
            to_wallet_id=str(request.to_wallet_id) if isinstance(request, TransferDetails) else None,
            original_transaction_id=original_transaction_id,
            owner=owner,
            amount=None if isinstance(request, EntriesDetails) else request.amount,
            direction=request.direction if is_adjustment else None,
            balance=request.balance if is_adjustment else None,
            entries=tuple(
                [
                    EntryOf(str(each.wallet_id), each.direction, each.amount, each.counter_account)
                    for each in entries
                ]
            ),
            counter_account=counter_account,
            terms=self._hooks.members.read(self._caller, extra) if extra else None,
            details=request.details(),
            transaction_id=self._attempt.transaction_id(self._caller.client_id, index),
        )

    def _check_users_account(self, kind: TransactionType, counter_account: str) -> None:
        """Refuse another counter account than the default of the type, and those of the user's own records.

        The default is what a response shows, and a request may be written from a response.

        Raises:
            Forbidden: it is another one.
        """
        declared = self._hooks.types[kind]
        if counter_account not in (declared.counter_account, declared.mirrored_account) and not (
            counter_account.startswith("mirrored:")
        ):
            raise Forbidden("A user's token can't choose the counter account")

    def _read(self, index: int, document: object, batch_key: str | None) -> Operation | Refused:
        """An operation of a batch, or the reason why there is none."""
        try:
            item = read_operation(document, self._hooks.requests)
            key = batch_key if item.idempotency_key is None else item.idempotency_key
            if isinstance(item, BatchRoomOperation):
                posting = item.posting(self._hooks.state.settings, self._caller)
                return self.room_operation(
                    item.type,
                    str(item.wallet_id),
                    key,
                    posting.terms,
                    current_caller().document(),
                    index=index,
                    amount=posting.amount,
                    counter_account=posting.counter_account,
                    details=posting.details,
                    to_wallet_id=posting.to_wallet_id,
                )
            if isinstance(item, BatchRefund):
                original = str(item.original_transaction_id)
                return self._operation(item.type, item, key, original_transaction_id=original, index=index)
            if isinstance(item, BatchEntries):
                return self._operation(item.type, item, key, index=index)
            return self._operation(item.type, item, key, wallet_id=str(item.wallet_id), index=index)
        except WalletError as error:
            return Refused(error)
