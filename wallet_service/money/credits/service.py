"""Consumes a user's credits without a wallet_id. At first use the wallet is created, for users who exist."""

from wallet_service.core.errors import WalletNotFound
from wallet_service.ledger.operations import Owner
from wallet_service.ledger.outcomes import Posted
from wallet_service.money.credits.repository import CreditsRepository
from wallet_service.money.schemas import MoneyRequest
from wallet_service.money.transactions.service import TransactionService
from wallet_service.platform.membership.access import CallerAccess, Membership
from wallet_service.platform.membership.problems import UserUnknown

CURRENCY = "CREDIT"


class CreditsService:
    """The credits of users, for the caller of one request."""

    def __init__(
        self,
        repository: CreditsRepository,
        transactions: TransactionService,
        membership: Membership,
        access: CallerAccess,
    ) -> None:
        self._repository = repository
        self._transactions = transactions
        self._membership = membership
        self._access = access

    async def consume(self, user_id: str, request: MoneyRequest, client_id: str, key: str | None) -> Posted:
        """Debit the wallet from which the user's credits are consumed.

        Args:
            user_id: the user; a user token names its own.
            request: the body.
            client_id: the owner of the key.
            key: the idempotency key of the request.

        Raises:
            UserUnknown: there is no such user.
            UpstreamUnavailable: it can't be checked whether the user exists, or may act on the wallet.
            WalletError: the refusal of the ledger.
        """
        if self._access.checks:
            return await self._consume_checked(user_id, request, client_id, key)
        owner = Owner(user_id, CURRENCY)
        try:
            # One call of the database, in which the ledger finds the wallet.
            return await self._transactions.move_of_user("consume", owner, request, key)
        except WalletNotFound:
            await self._create(user_id)
        return await self._transactions.move_of_user("consume", owner, request, key, again=True)

    async def _consume_checked(
        self, user_id: str, request: MoneyRequest, client_id: str, key: str | None
    ) -> Posted:
        """For a caller who may not act on every wallet: which one it is must be known before the posting."""
        try:
            wallet_id = await self._repository.find(user_id, client_id, key)
        except UserUnknown:
            if self._access.restricted is not None:
                self._access.restricted.restriction.require_new_wallet(user_id, None)
            wallet_id = await self._create(user_id)
        await self._access.check(wallet_id)
        return await self._transactions.move("consume", wallet_id, request, key)

    async def _create(self, user_id: str) -> str:
        """Create the wallet, for a user who exists; the account service is asked only now."""
        verified = await self._membership.admit(user_id)
        return await self._repository.create(user_id, verified=verified)
