"""The calls of older clients, as methods of the client itself. Newer calls are only on the resources."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from wallet_client._async.credits import AsyncCreditsResource
from wallet_client._async.pages import AsyncPages
from wallet_client._async.transactions import AsyncTransactionsResource
from wallet_client._async.wallets import AsyncWalletsResource
from wallet_client._call import PAGE_SIZE, By, EntryType, Id, Moment
from wallet_client.money import Amount
from wallet_client.operations import NewPart

if TYPE_CHECKING:
    from wallet_client.models import Balance, Credits, Entry, Transaction, Wallet


class AsyncShortcuts:
    """The twelve calls that older clients have, under the names that they use. Each forwards to a resource's method."""

    wallets: AsyncWalletsResource
    transactions: AsyncTransactionsResource
    credits: AsyncCreditsResource

    async def create_wallet(
        self,
        *,
        user_id: Id,
        currency: str | None = None,
        initial_balance: Amount | None = None,
        name: str | None = None,
        wallet_type: Literal["fiat", "crypto", "hybrid"] | None = None,
        keeping: Literal["operating", "mirrored"] | None = None,
        credit_limit: Amount | None = None,
        organization_id: Id | None = None,
        network: str | None = None,
        address: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> "Wallet":
        """Create a wallet. ``wallets.create`` explains arguments and errors."""
        return await self.wallets.create(
            user_id=user_id,
            currency=currency,
            initial_balance=initial_balance,
            name=name,
            wallet_type=wallet_type,
            keeping=keeping,
            credit_limit=credit_limit,
            organization_id=organization_id,
            network=network,
            address=address,
            metadata=metadata,
            idempotency_key=idempotency_key,
        )

    async def get_wallet(self, wallet_id: Id) -> "Wallet":
        """Read a wallet, with its balance. ``wallets.get`` explains arguments and errors."""
        return await self.wallets.get(wallet_id)

    def list_wallets(
        self,
        *,
        user_id: Id | None = None,
        currency: str | None = None,
        status: Literal["active", "frozen", "closed"] | None = None,
        wallet_type: Literal["fiat", "crypto", "hybrid"] | None = None,
        verified: bool | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "AsyncPages[Wallet]":
        """The wallets of a user, or of all users. ``wallets.list`` explains arguments and errors."""
        return self.wallets.list(
            user_id=user_id,
            currency=currency,
            status=status,
            wallet_type=wallet_type,
            verified=verified,
            page_size=page_size,
        )

    async def get_balance(
        self, wallet_id: Id, *, at: Moment | None = None, by: By | None = None
    ) -> "Balance":
        """Read a balance, now or at a past moment. ``wallets.balance`` explains arguments and errors."""
        return await self.wallets.balance(wallet_id, at=at, by=by)

    async def deposit(
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
        """Credit a wallet with money from outside the ledger. ``transactions.deposit`` explains arguments and errors."""
        return await self.transactions.deposit(
            wallet_id,
            amount,
            description=description,
            reference=reference,
            metadata=metadata,
            effective_at=effective_at,
            counter_account=counter_account,
            parts=parts,
            dry_run=dry_run,
            idempotency_key=idempotency_key,
        )

    async def withdraw(
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
        """Debit a wallet by money that leaves the ledger. ``transactions.withdraw`` explains arguments and errors."""
        return await self.transactions.withdraw(
            wallet_id,
            amount,
            description=description,
            reference=reference,
            metadata=metadata,
            effective_at=effective_at,
            counter_account=counter_account,
            parts=parts,
            dry_run=dry_run,
            idempotency_key=idempotency_key,
        )

    async def consume(
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
        """Debit a wallet for usage. ``transactions.consume`` explains arguments and errors."""
        return await self.transactions.consume(
            wallet_id,
            amount,
            description=description,
            reference=reference,
            metadata=metadata,
            effective_at=effective_at,
            counter_account=counter_account,
            parts=parts,
            dry_run=dry_run,
            idempotency_key=idempotency_key,
        )

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
        """Move money to another wallet. ``transactions.transfer`` explains arguments and errors."""
        return await self.transactions.transfer(
            wallet_id,
            to_wallet_id,
            amount,
            description=description,
            reference=reference,
            metadata=metadata,
            effective_at=effective_at,
            parts=parts,
            dry_run=dry_run,
            idempotency_key=idempotency_key,
        )

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
        """Reverse a transaction, or a part of it. ``transactions.refund`` explains arguments and errors."""
        return await self.transactions.refund(
            transaction_id,
            amount,
            description=description,
            reference=reference,
            metadata=metadata,
            effective_at=effective_at,
            dry_run=dry_run,
            idempotency_key=idempotency_key,
        )

    def list_transactions(
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
        """The ledger entries of a wallet, or of a user's wallets. ``transactions.list`` explains arguments and errors."""
        return self.transactions.list(
            wallet_id=wallet_id,
            user_id=user_id,
            type=type,
            by=by,
            from_=from_,
            to=to,
            min_amount=min_amount,
            max_amount=max_amount,
            reference=reference,
            counter_account=counter_account,
            metadata=metadata,
            page_size=page_size,
        )

    async def get_credits(self, user_id: Id) -> "Credits":
        """Read a user's credits. ``credits.balance`` explains arguments and errors."""
        return await self.credits.balance(user_id)

    async def consume_credits(
        self,
        user_id: Id,
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
        """Pay for usage with a user's credits. ``credits.consume`` explains arguments and errors."""
        return await self.credits.consume(
            user_id,
            amount,
            description=description,
            reference=reference,
            metadata=metadata,
            effective_at=effective_at,
            counter_account=counter_account,
            parts=parts,
            dry_run=dry_run,
            idempotency_key=idempotency_key,
        )
