# Generated from wallet_client/_async/movements.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Movements between one wallet and a counter account: deposit, withdraw, consume, reward, fee."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from wallet_client._call import Call, Id, Moment, post_call
from wallet_client._responses import transaction_of
from wallet_client._sync.runner import Runner
from wallet_client.money import Amount
from wallet_client.operations import NewPart, movement_members

if TYPE_CHECKING:
    from wallet_client.models import Transaction


class Movements:
    """The movements between one wallet and a counter account, such as ``revenue:usage``."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def deposit(
        self,
        wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        counter_account: str | None = None,
        parts: Iterable[NewPart] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Transaction":
        """Credit a wallet with money that comes in from outside the ledger.

        Args:
            wallet_id: the wallet.
            amount: in the wallet's currency, more than 0: Decimal, int or str, never a float.
            description: a text for people, at most 1000 characters.
            reference: the caller's own reference, such as an invoice number; ``list`` can search for it.
            metadata: a JSON object, at most 16 KiB.
            effective_at: when the movement takes effect, with a time zone; default: the time of posting.
            counter_account: the other side of the posting; default ``external:deposits``.
            parts: what it is for, where the wallet's owner has a book: they sum to the entry. Default: by its rules.
            dry_run: return the transaction as if it were posted, and store nothing.
            idempotency_key: the movement is posted once per key; default: a new key.

        Raises:
            WalletNotFound: the wallet does not exist, or the caller may not see it.
            WalletClosed: the wallet is closed.
            AmountPrecision: the amount has more decimals than the currency.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(
            amount,
            description,
            reference,
            metadata,
            effective_at,
            counter_account,
            parts=parts,
            dry_run=dry_run,
        )
        return self._runner.run(_movement("deposit", wallet_id, members, idempotency_key))

    def withdraw(
        self,
        wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        counter_account: str | None = None,
        parts: Iterable[NewPart] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Transaction":
        """Debit a wallet by money that leaves the ledger.

        Args:
            wallet_id: the wallet.
            amount: in the wallet's currency, more than 0: Decimal, int or str, never a float.
            description: a text for people, at most 1000 characters.
            reference: the caller's own reference, such as an invoice number; ``list`` can search for it.
            metadata: a JSON object, at most 16 KiB.
            effective_at: when the movement takes effect, with a time zone; default: the time of posting.
            counter_account: the other side of the posting; default ``external:withdrawals``.
            parts: what it is for, where the wallet's owner has a book: they sum to the entry. Default: by its rules.
            dry_run: return the transaction as if it were posted, and store nothing.
            idempotency_key: the movement is posted once per key; default: a new key.

        Raises:
            InsufficientFunds: the amount is more than what is available; ``shortfall`` is the difference.
            WalletNotFound: the wallet does not exist, or the caller may not see it.
            WalletFrozen, WalletClosed: the wallet allows no debit.
            AmountPrecision: the amount has more decimals than the currency.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(
            amount,
            description,
            reference,
            metadata,
            effective_at,
            counter_account,
            parts=parts,
            dry_run=dry_run,
        )
        return self._runner.run(_movement("withdraw", wallet_id, members, idempotency_key))

    def consume(
        self,
        wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        counter_account: str | None = None,
        parts: Iterable[NewPart] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Transaction":
        """Debit a wallet for usage: the customer pays for what was used.

        Args:
            wallet_id: the wallet.
            amount: in the wallet's currency, more than 0: Decimal, int or str, never a float.
            description: a text for people, at most 1000 characters.
            reference: the caller's own reference, such as an invoice number; ``list`` can search for it.
            metadata: a JSON object, at most 16 KiB.
            effective_at: when the movement takes effect, with a time zone; default: the time of posting.
            counter_account: the other side of the posting; default ``revenue:usage``.
            parts: what it is for, where the wallet's owner has a book: they sum to the entry. Default: by its rules.
            dry_run: return the transaction as if it were posted, and store nothing.
            idempotency_key: the movement is posted once per key; default: a new key.

        Raises:
            InsufficientFunds: the amount is more than what is available; ``shortfall`` is the difference.
            WalletNotFound: the wallet does not exist, or the caller may not see it.
            WalletFrozen, WalletClosed: the wallet allows no debit.
            AmountPrecision: the amount has more decimals than the currency.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(
            amount,
            description,
            reference,
            metadata,
            effective_at,
            counter_account,
            parts=parts,
            dry_run=dry_run,
        )
        return self._runner.run(_movement("consume", wallet_id, members, idempotency_key))

    def reward(
        self,
        wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        counter_account: str | None = None,
        parts: Iterable[NewPart] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Transaction":
        """Credit a wallet with promotional money or credits.

        Args:
            wallet_id: the wallet.
            amount: in the wallet's currency, more than 0: Decimal, int or str, never a float.
            description: a text for people, at most 1000 characters.
            reference: the caller's own reference, such as an invoice number; ``list`` can search for it.
            metadata: a JSON object, at most 16 KiB.
            effective_at: when the movement takes effect, with a time zone; default: the time of posting.
            counter_account: the other side of the posting; default ``promotions``.
            parts: what it is for, where the wallet's owner has a book: they sum to the entry. Default: by its rules.
            dry_run: return the transaction as if it were posted, and store nothing.
            idempotency_key: the movement is posted once per key; default: a new key.

        Raises:
            WalletNotFound: the wallet does not exist, or the caller may not see it.
            WalletClosed: the wallet is closed.
            AmountPrecision: the amount has more decimals than the currency.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(
            amount,
            description,
            reference,
            metadata,
            effective_at,
            counter_account,
            parts=parts,
            dry_run=dry_run,
        )
        return self._runner.run(_movement("reward", wallet_id, members, idempotency_key))

    def fee(
        self,
        wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        counter_account: str | None = None,
        parts: Iterable[NewPart] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Transaction":
        """Debit a wallet for a fee.

        Args:
            wallet_id: the wallet.
            amount: in the wallet's currency, more than 0: Decimal, int or str, never a float.
            description: a text for people, at most 1000 characters.
            reference: the caller's own reference, such as an invoice number; ``list`` can search for it.
            metadata: a JSON object, at most 16 KiB.
            effective_at: when the movement takes effect, with a time zone; default: the time of posting.
            counter_account: the other side of the posting; default ``revenue:fees``.
            parts: what it is for, where the wallet's owner has a book: they sum to the entry. Default: by its rules.
            dry_run: return the transaction as if it were posted, and store nothing.
            idempotency_key: the movement is posted once per key; default: a new key.

        Raises:
            InsufficientFunds: the amount is more than what is available; ``shortfall`` is the difference.
            WalletNotFound: the wallet does not exist, or the caller may not see it.
            WalletFrozen, WalletClosed: the wallet allows no debit.
            AmountPrecision: the amount has more decimals than the currency.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(
            amount,
            description,
            reference,
            metadata,
            effective_at,
            counter_account,
            parts=parts,
            dry_run=dry_run,
        )
        return self._runner.run(_movement("fee", wallet_id, members, idempotency_key))


def _movement(kind: str, wallet_id: Id, members: Mapping[str, Any], key: str | None) -> "Call[Transaction]":
    route = f"/wallets/{{wallet_id}}/{kind}"
    return post_call(kind, route, transaction_of, members, key, wallet_id=wallet_id)
