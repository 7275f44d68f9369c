"""Access checks: whether a new wallet's user exists, and whether a user may act on a wallet."""

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
    # Imports that take a third of a second, and are needed only where users are verified.
    from wallet_service.platform.membership.policy import Policy
    from wallet_service.platform.membership.verification import Verification

MOST_WALLETS = 50_000
"""Wallets of users whose organization is cached. It never changes."""

MOST_KNOWN = 100_000
"""Organizations of users' wallets, over all users, that are cached for reads of all wallets of a user."""

NOT_THEIRS_S = 60.0
"""How long it is cached that a wallet is not the user's, in seconds."""


class WalletAccess:
    """Checks nothing, because ``WALLET_VERIFY_USERS`` is not set."""

    asks = False
    """Whether owners are verified."""

    async def admit(self, user_id: str, organization_id: str | None = None) -> bool:
        """Whether the owner of a new wallet is verified; if False, the wallet is created as unverified.

        Raises:
            UserUnknown, OrganizationUnknown: the owner does not exist.
            UpstreamUnavailable: the owner can't be checked, and the policy is to create no wallet then.
        """
        del user_id, organization_id
        return True

    async def check_access(self, user_id: str, wallet_id: str) -> None:
        """Refuse a user who acts on a wallet of an organization without being a member.

        Raises:
            Forbidden: the user is not a member.
            UpstreamUnavailable: the membership can't be checked, and the policy is to refuse then.
        """

    def visibility(self, user_id: str | None) -> Visibility:
        """Which wallets a read of all wallets of a user includes; one object for each request.

        Args:
            user_id: the user who calls; None if a client calls.
        """
        del user_id
        return ALL

    def note_debit(self, wallet_id: str) -> None:
        """Have the owner of a debited wallet verified in the background, if it is not yet. Never waits."""

    async def close(self) -> None:
        """Stop background tasks."""


class MembershipAccess(WalletAccess):
    """Checks users with the account and organization services, by the policy."""

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
        """By the policy."""
        return await self._policy.admit(user_id, organization_id)

    async def check_access(self, user_id: str, wallet_id: str) -> None:
        """By the policy. The wallet's organization is read once and cached."""
        key = user_id, wallet_id
        if key in self._not_theirs:
            return
        if key not in self._organizations:
            try:
                found = await self._database.read("get_wallet", wallet_id=wallet_id, user_id=user_id)
            except WalletNotFound:
                # Not refused here: the route finds the same, and the target of a transfer may be another user's.
                self._not_theirs[key] = True
                return
            self._organizations[key] = _organization(found)
        organization_id = self._organizations[key]
        if organization_id is not None and not await self._policy.may_act(organization_id, user_id):
            raise Forbidden("The user is not a member of the wallet's organization", wallet_id=wallet_id)

    def visibility(self, user_id: str | None) -> Visibility:
        """For a user, without wallets that the user may not act on, by the policy."""
        if user_id is None:
            return ALL
        return MemberVisibility(user_id, partial(self._policy.may_act, user_id=user_id), self._of_users)

    def note_debit(self, wallet_id: str) -> None:
        """Queue the wallet, unless it is known to be verified."""
        self._verification.enqueue(wallet_id)

    async def close(self) -> None:
        """Stop verifying. Queued wallets are queued again after their next debit."""
        await self._verification.close()


def _organization(wallet: bytes) -> str | None:
    document: dict[str, Any] = json.loads(wallet)
    return document["organization_id"]


async def _access(request: Request) -> WalletAccess:
    return request.app.state.access


AccessOf = Annotated[WalletAccess, Depends(_access)]
"""Parameter type of an endpoint that creates wallets."""
