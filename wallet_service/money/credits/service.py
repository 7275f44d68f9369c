"""The wallet of a user's credits, made at first use for users who exist."""

from typing import Any

from wallet_service.money.credits.repository import CreditsRepository
from wallet_service.platform.membership.access import WalletAccess
from wallet_service.platform.membership.problems import UserUnknown


async def credits_wallet(
    repository: CreditsRepository,
    access: WalletAccess,
    user_id: str,
    client_id: str | None = None,
    idempotency_key: str | None = None,
) -> dict[str, Any]:
    """The wallet; the account service is asked only when one has to be made.

    Raises:
        UserUnknown: there is no such user.
        UpstreamUnavailable: nobody can say whether there is.
    """
    if access.asks:
        try:
            return await repository.wallet(user_id, client_id, idempotency_key, verified=None)
        except UserUnknown:
            pass  # not asked about yet
    verified = await access.admit(user_id)
    return await repository.wallet(user_id, client_id, idempotency_key, verified=verified)
