"""Transactions: movements of money, refunds, batches, and the history."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from wallet_client._async.movements import AsyncMovements
from wallet_client._async.pages import AsyncPages
from wallet_client._call import (
    PAGE_SIZE,
    By,
    Call,
    EntryType,
    Id,
    Moment,
    SuccessResponse,
    get_call,
    moment,
    post_call,
)
from wallet_client._responses import batch_results_of, entries_of, transaction_of
from wallet_client.keys import name_text, new_key
from wallet_client.money import Amount, amount_text
from wallet_client.operations import (
    Direction,
    EntriesType,
    NewEntry,
    NewPart,
    Operation,
    adjustment_members,
    movement_members,
)

if TYPE_CHECKING:
    from wallet_client.models import BatchResults, Entry, Page, Transaction


class AsyncTransactionsResource(AsyncMovements):
    """``client.transactions``: move money, and read transactions."""

    async def transfer(
        self,
        wallet_id: Id,
        to_wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        parts: Iterable[NewPart] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Transaction":
        """Move money to another wallet of the same currency: both wallets in one posting, or neither.

        Args:
            wallet_id: the wallet to debit.
            to_wallet_id: the wallet to credit.
            amount: in the wallets' currency, more than 0: Decimal, int or str, never a float.
            description: a text for people, at most 1000 characters.
            reference: the caller's own reference, such as an invoice number; ``list`` can search for it.
            metadata: a JSON object, at most 16 KiB.
            effective_at: when the movement takes effect, with a time zone; default: the time of posting.
            parts: what it is for, where the wallet's owner has a book: they sum to the entry. Default: by its rules.
            dry_run: return the transaction as if it were posted, and store nothing.
            idempotency_key: the movement is posted once per key; default: a new key.

        Raises:
            InsufficientFunds: the amount is more than what is available; ``shortfall`` is the difference.
            CurrencyMismatch: the wallets have different currencies.
            SameWallet: both ids name the same wallet.
            WalletNotFound: a wallet does not exist, or the caller may not see it.
            WalletFrozen, WalletClosed: a wallet does not allow it.
            AmountPrecision: the amount has more decimals than the currency.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(
            amount, description, reference, metadata, effective_at, parts=parts, dry_run=dry_run
        )
        members["to_wallet_id"] = name_text(to_wallet_id)
        route = "/wallets/{wallet_id}/transfer"
        call = post_call("transfer", route, transaction_of, members, idempotency_key, wallet_id=wallet_id)
        return await self._runner.run(call)

    async def refund(
        self,
        transaction_id: Id,
        amount: Amount | None = None,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Transaction":
        """Reverse a transaction: all that is not yet refunded, or a part of it.

        Args:
            transaction_id: the transaction to refund. A refund, an adjustment or an exchange can't be refunded, and a
                posting of several entries only as a whole.
            amount: in the transaction's currency, more than 0; default: all that is not yet refunded.
            description: a text for people, at most 1000 characters.
            reference: the caller's own reference, such as an invoice number; ``list`` can search for it.
            metadata: a JSON object, at most 16 KiB.
            effective_at: when the movement takes effect, with a time zone; default: the time of posting.
            dry_run: return the transaction as if it were posted, and store nothing.
            idempotency_key: the movement is posted once per key; default: a new key.

        Raises:
            TransactionNotFound: the transaction does not exist, or the caller may not see it.
            RefundExceeds: the amount is more than what is not yet refunded, which is ``refundable``.
            NotRefundable: the transaction is of a type that can't be refunded.
            InsufficientFunds: the wallet that was credited no longer has the amount.
            WalletFrozen, WalletClosed: a wallet does not allow it.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(amount, description, reference, metadata, effective_at, dry_run=dry_run)
        route = "/transactions/{transaction_id}/refund"
        call = post_call(
            "refund", route, transaction_of, members, idempotency_key, transaction_id=transaction_id
        )
        return await self._runner.run(call)

    async def adjust(
        self,
        wallet_id: Id,
        *,
        reason: str,
        balance: Amount | None = None,
        amount: Amount | None = None,
        direction: Direction | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        counter_account: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Transaction":
        """Correct a balance: to ``balance``, or by ``amount`` in a ``direction``.

        Args:
            wallet_id: the wallet.
            reason: why it is corrected, 1 to 1000 characters; stored as the entry's description.
            balance: the balance that the wallet gets, in its currency. Below 0 only in a mirrored wallet, or within the
                credit limit.
            amount: how much is added or taken, more than 0; with ``direction``, in place of ``balance``.
            direction: ``credit`` adds to the wallet, ``debit`` takes from it.
            reference: the caller's own reference; ``list`` can search for it.
            metadata: a JSON object, at most 16 KiB.
            effective_at: when the correction counts, with a time zone; default: the time of posting.
            counter_account: the other side of the posting; default ``external:adjustments``, or ``mirrored:adjustments``
                for a mirrored wallet.
            dry_run: return the transaction as if it were posted, and store nothing.
            idempotency_key: the adjustment is posted once per key; default: a new key.

        Raises:
            BalanceUnchanged: the wallet already has this balance.
            InsufficientFunds: the wallet would stand further below 0 than its credit limit allows.
            ValidationFailed: neither or both of ``balance`` and ``amount`` are given, or a direction without an amount.
            WalletNotFound: the wallet does not exist, or the caller may not see it.
            WalletFrozen, WalletClosed: the wallet does not allow it.
            AmountPrecision: the amount has more decimals than the currency.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        details = movement_members(
            None, None, reference, metadata, effective_at, counter_account, dry_run=dry_run
        )
        members = adjustment_members(balance, amount, direction, reason, details)
        route = "/wallets/{wallet_id}/adjust"
        call = post_call("adjust", route, transaction_of, members, idempotency_key, wallet_id=wallet_id)
        return await self._runner.run(call)

    async def post(
        self,
        type: EntriesType,  # noqa: A002 - the parameter's name in the API
        entries: Iterable[NewEntry],
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Transaction":
        """Post 1 to 20 entries together, in one transaction or not at all. Each currency adds up to zero by itself.

        Args:
            type: ``exchange``: one currency for another; ``payment``: a payment with what belongs to it, such as its fee.
            entries: what happens to each wallet, in order: ``NewEntry.debit(wallet_id, "10", "fx:EUR-USD")``.
            description: a text for people, at most 1000 characters.
            reference: the caller's own reference, such as an invoice number; ``list`` can search for it.
            metadata: a JSON object, at most 16 KiB.
            effective_at: when the movement takes effect, with a time zone; default: the time of posting.
            dry_run: return the transaction as if it were posted, and store nothing.
            idempotency_key: the entries are posted once per key; default: a new key.

        Raises:
            EntriesUnbalanced: two wallets name each other, and their amounts don't add up to zero.
            InsufficientFunds: an entry debits more than what is available; ``shortfall`` is the difference.
            WalletMirrored: operating and mirrored wallets are mixed.
            WalletNotFound: a wallet does not exist, or the caller may not see it.
            WalletFrozen, WalletClosed: a wallet does not allow it.
            AmountPrecision: an amount has more decimals than its currency.
            Forbidden: the caller is a user.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(None, description, reference, metadata, effective_at, dry_run=dry_run)
        members |= {"type": type, "entries": [dict(each.members) for each in entries]}
        call = post_call("post_entries", "/transactions", transaction_of, members, idempotency_key)
        return await self._runner.run(call)

    async def batch(
        self,
        operations: Iterable[Operation],
        *,
        atomic: bool = False,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "BatchResults":
        """Post 1 to 500 operations in one request, in order.

        Args:
            operations: what to post. An operation without an idempotency key gets one from the batch's key and its place.
            atomic: post all operations or none: the first refusal is raised, and its ``index`` names the operation.
            dry_run: return the results as if the operations were posted, and store nothing.
            idempotency_key: the batch is posted once per key; default: a new key.

        Returns:
            A ``Posted`` or a ``Refused`` for each operation, in the same order. The error of a ``Refused`` has the
            operation's ``idempotency_key``, with which it can be sent again; ``earlier_attempt_open`` and
            ``outcome_unknown`` are True if an earlier attempt got no response and may have posted it.

        Raises:
            ServiceError: an atomic batch was refused, or the whole request.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent.
        """
        sent = [each.members for each in operations]
        members = {"operations": sent, "atomic": atomic or None, "dry_run": dry_run or None}
        key = new_key() if idempotency_key is None else idempotency_key

        def results(response: SuccessResponse) -> "BatchResults":
            return batch_results_of(response, key, sent)

        return await self._runner.run(post_call("batch", "/transactions/batch", results, members, key))

    async def get(self, transaction_id: Id) -> "Transaction":
        """Read a transaction.

        Args:
            transaction_id: the transaction.

        Raises:
            TransactionNotFound: the transaction does not exist, or the caller may not see it.
        """
        route = "/transactions/{transaction_id}"
        call = get_call("get_transaction", route, transaction_of, transaction_id=transaction_id)
        return await self._runner.run(call)

    def list(
        self,
        *,
        wallet_id: Id | None = None,
        user_id: Id | None = None,
        type: EntryType | None = None,  # noqa: A002 - the parameter's name in the API
        by: By | None = None,
        from_: Moment | None = None,
        to: Moment | None = None,
        min_amount: Amount | None = None,
        max_amount: Amount | None = None,
        reference: str | None = None,
        counter_account: str | None = None,
        metadata: Mapping[str, str] | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "AsyncPages[Entry]":
        """The ledger entries of a wallet, or of all wallets of a user; newest first.

        Args:
            wallet_id: the wallet; or else ``user_id``.
            user_id: the user.
            type: only entries of this type.
            by: which moment of an entry ``from_``, ``to`` and the order mean: ``posted`` (the default), or ``effective``:
                when it happened.
            from_: only entries of this moment or later, with a time zone.
            to: only entries before this moment.
            min_amount: only entries of this amount or more, in the entry's currency.
            max_amount: only entries of this amount or less.
            reference: only entries with exactly this reference.
            counter_account: only entries with exactly this counter account.
            metadata: only entries whose metadata has these top-level members, with these texts.
            page_size: items per request, 1 to 100.

        Raises:
            TypeError: neither or both of ``wallet_id`` and ``user_id`` are given.
            ValueError: a moment can't be read, or has no time zone.
            WalletNotFound: while iterating: the wallet does not exist, or the caller may not see it.
        """
        query: dict[str, Any] = {
            "type": type,
            "by": by,
            "from": moment(from_, "from_"),
            "to": moment(to, "to"),
            "min_amount": None if min_amount is None else amount_text(min_amount),
            "max_amount": None if max_amount is None else amount_text(max_amount),
            "reference": reference,
            "counter_account": counter_account,
            "metadata": [f"{name}={value}" for name, value in metadata.items()] if metadata else None,
            "limit": page_size,
        }
        if (wallet_id is None) == (user_id is None):
            raise TypeError("a history needs either a wallet_id or a user_id")
        ids = {"wallet_id": wallet_id} if wallet_id is not None else {"user_id": user_id or ""}
        owner = "/wallets/{wallet_id}" if wallet_id is not None else "/users/{user_id}"
        route = f"{owner}/transactions"

        def page_after(cursor: str | None) -> "Call[Page[Entry]]":
            return get_call("list_transactions", route, entries_of, query | {"cursor": cursor}, **ids)

        return AsyncPages(self._runner, page_after)
