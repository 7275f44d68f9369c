"""Asks the upstreams where a wallet is made, read or debited, at the one place that each room calls."""

import json
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from cachetools import LRUCache, TTLCache
from fastapi import Depends
from starlette.requests import Request

from wallet_service.core.errors import Forbidden, WalletNotFound
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.membership.visibility import ALL, MemberVisibility, Visibility

if TYPE_CHECKING:
    # What asks: a third of a second of imports, for those only who ask.
    from wallet_service.platform.membership.policy import Policy
    from wallet_service.platform.membership.verification import Verification

MOST_WALLETS = 50_000
"""Of users' tokens whose organization is remembered: it never changes."""

MOST_KNOWN = 100_000
"""Organizations of users' wallets, over all users, that are remembered for reads of all wallets of a user."""

NOT_THEIRS_S = 60.0
"""How long it is remembered that a wallet is not the user's."""


class WalletAccess:
    """Asks nobody: every user is taken for known (``WALLET_VERIFY_USERS`` is not set)."""

    asks = False
    """Whether an owner can turn out to be unknown."""

    async def admit(self, user_id: str, organization_id: str | None = None) -> bool:
        """Whether a new wallet's owner is verified; False: it is to be marked.

        Raises:
            UserUnknown, OrganizationUnknown: there is no such owner.
            UpstreamUnavailable: nobody can say, and the policy is not to make it then.
        """
        del user_id, organization_id
        return True

    async def check_access(self, user_id: str, wallet_id: str) -> None:
        """Refuse a user's token that acts on a wallet of an organization to which the user does not belong.

        Raises:
            Forbidden: not a member.
            UpstreamUnavailable: nobody can say, and the policy is to let nobody then.
        """

    def visibility(self, user_id: str | None) -> Visibility:
        """What a read of all wallets of a user shows to whom asks; one for each request.

        Args:
            user_id: the user who asks, or None for a service.
        """
        del user_id
        return ALL

    def note_debit(self, wallet_id: str) -> None:
        """A wallet was debited: if its owner is unverified, find out in the background. Never waits."""

    async def close(self) -> None:
        """Stop what runs in the background."""


class MembershipAccess(WalletAccess):
    """Asks the account and organization services, by the policy."""

    asks = True

    def __init__(self, database: Database, policy: "Policy", verification: "Verification") -> None:
        self._database = database
        self._policy = policy
        self._verification = verification
        self._organizations: LRUCache[tuple[str, str], str | None] = LRUCache(MOST_WALLETS)
        self._not_theirs: TTLCache[tuple[str, str], bool, float] = TTLCache(
            MOST_WALLETS, NOT_THEIRS_S, time.monotonic
        )
        self._of_users: LRUCache[str, tuple[str, ...]] = LRUCache(MOST_KNOWN, len)

    async def admit(self, user_id: str, organization_id: str | None = None) -> bool:
        """As the policy says."""
        return await self._policy.admit(user_id, organization_id)

    async def check_access(self, user_id: str, wallet_id: str) -> None:
        """As the policy says; the database is asked once for each wallet, and then remembered."""
        key = user_id, wallet_id
        if key in self._not_theirs:
            return
        if key not in self._organizations:
            try:
                found = await self._database.read("get_wallet", wallet_id=wallet_id, user_id=user_id)
            except WalletNotFound:
                # Whoever asked finds the same, and says it in their own way; the target of a transfer may be anybody's.
                self._not_theirs[key] = True
                return
            self._organizations[key] = _organization(found)
        organization_id = self._organizations[key]
        if organization_id is not None and not await self._policy.may_act(organization_id, user_id):
            raise Forbidden("The user is not a member of the wallet's organization", wallet_id=wallet_id)

    def visibility(self, user_id: str | None) -> Visibility:
        """A user's leaves out what they may not act on, as the policy says."""
        if user_id is None:
            return ALL
        return MemberVisibility(user_id, partial(self._policy.may_act, user_id=user_id), self._of_users)

    def note_debit(self, wallet_id: str) -> None:
        """Queue it, unless the wallet is known to need nothing."""
        self._verification.note(wallet_id)

    async def close(self) -> None:
        """Stop verifying; what was queued is found again at its next debit."""
        await self._verification.close()


def _organization(wallet: bytes) -> str | None:
    document: dict[str, Any] = json.loads(wallet)
    return document["organization_id"]


async def _access(request: Request) -> WalletAccess:
    return request.app.state.access


AccessOf = Annotated[WalletAccess, Depends(_access)]
"""Parameter type of an endpoint that makes wallets."""
