"""Access checks: whether a new wallet's user exists, and whether a user may act on a wallet.

The application has one Membership: the rules about users, their organizations and wallets. Each request has a
CallerAccess, which every room uses for that request.
"""

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from cachetools import LRUCache, TTLCache
from fastapi import Depends
from starlette.requests import Request

from wallet_service.core.errors import Forbidden, WalletError, WalletNotFound
from wallet_service.platform.auth.authentication import access_of, principal
from wallet_service.platform.auth.restrictions import Restriction
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.membership.restricted import KnownWallets, WalletFacts
from wallet_service.platform.membership.visibility import (
    ALL,
    MemberVisibility,
    RestrictedVisibility,
    Visibility,
)
from wallet_service.platform.upstreams.problems import UpstreamUnavailable

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


class CallerAccess:
    """The access checks of one request. This class checks nothing: for most keys, or if users are not verified."""

    checks = False
    """Whether a wallet can be refused."""

    restricted: "RestrictedAccess | None" = None
    """These checks, if they are of a restricted key."""

    async def check(self, wallet_id: str) -> None:
        """Refuse a user who acts on a wallet of an organization without being a member, and a key on other wallets.

        A wallet of another user is not refused here: for the route it does not exist.

        Raises:
            WalletNotFound: the key is restricted to other wallets.
            Forbidden: the user is not a member.
            UpstreamUnavailable: the membership can't be checked, and the policy is to refuse then.
        """

    async def check_posting(self, transaction_id: str) -> None:
        """As ``check``, for each wallet of a posting. A posting that the user does not see is not refused here."""

    async def check_organization(self, organization_id: str) -> None:
        """Refuse a user who acts for an organization without being a member.

        Raises:
            Forbidden: the user is not a member.
            UpstreamUnavailable: as ``check``.
        """

    async def is_member(self, organization_id: str) -> bool:
        """Whether the caller is a user who is known to be a member of an organization.

        For what belongs to the organization and not to the user: unlike ``check_organization``, it is never true only
        because memberships are not checked, or can't be checked now.

        Raises:
            UpstreamUnavailable: it can't be checked now.
        """
        del organization_id
        return False

    def visibility(self) -> Visibility:
        """Which wallets a read of all wallets of the user includes; one object for the whole read."""
        return ALL


class RestrictedAccess(CallerAccess):
    """The access checks of one request with a restricted key."""

    checks = True

    def __init__(self, restriction: Restriction, wallets: KnownWallets) -> None:
        self.restriction = restriction
        self.restricted = self
        self._wallets = wallets

    async def check(self, wallet_id: str) -> None:
        """As ``CallerAccess.check``."""
        await self.find(wallet_id)

    async def find(self, wallet_id: str) -> WalletFacts:
        """What never changes about a wallet that the key covers.

        Raises:
            WalletNotFound: the key does not cover it, or it does not exist.
        """
        return await self._wallets.find(wallet_id, self.restriction)

    async def sees(self, wallet_id: str) -> bool:
        """Whether the key covers a wallet."""
        try:
            await self.find(wallet_id)
        except WalletNotFound:
            return False
        return True

    async def legs(self, transaction_id: str) -> list[dict[str, Any]]:
        """The entries of a posting, whether the key covers its wallets or not.

        Raises:
            TransactionNotFound: there is none.
        """
        return await self._wallets.legs(transaction_id)

    def visibility(self) -> Visibility:
        """Leaves out the wallets that the key does not cover."""
        return RestrictedVisibility(self.restriction) if self.restriction.is_of_wallets else ALL


class MemberAccess(CallerAccess):
    """The access checks of one request of a user. Each organization is checked at most once.

    A decision holds for the whole request, also the one that a service is unavailable.

    Args:
        user_id: the user.
        organization_of: finds the organization of a wallet; None: it has none, or it is not the user's wallet.
        wallets_of: finds the wallets of a posting; none if the user does not see it.
        may_act: whether the user may act on wallets of an organization.
        is_member: whether the user is a member of an organization, whatever the policy.
        known: the organizations of users' wallets as far as they are cached.
    """

    checks = True

    def __init__(
        self,
        user_id: str,
        organization_of: Callable[[str], Awaitable[str | None]],
        wallets_of: Callable[[str], Awaitable[Sequence[str]]],
        may_act: Callable[[str], Awaitable[bool]],
        is_member: Callable[[str], Awaitable[bool]],
        known: LRUCache[str, tuple[str, ...]],
    ) -> None:
        self._user_id = user_id
        self._organization_of = organization_of
        self._wallets_of = wallets_of
        self._may_act = may_act
        self._is_member = is_member
        self._known = known
        self._decisions: dict[str, bool | UpstreamUnavailable] = {}

    async def check(self, wallet_id: str) -> None:
        """As ``CallerAccess.check``."""
        organization_id = await self._organization_of(wallet_id)
        if organization_id is not None and not await self._decide(organization_id):
            raise Forbidden("The user is not a member of the wallet's organization", wallet_id=wallet_id)

    async def check_posting(self, transaction_id: str) -> None:
        """As ``CallerAccess.check_posting``."""
        for wallet_id in await self._wallets_of(transaction_id):
            await self.check(wallet_id)

    async def check_organization(self, organization_id: str) -> None:
        """As ``CallerAccess.check_organization``."""
        if not await self._decide(organization_id):
            raise Forbidden("The user is not a member of the organization", organization_id=organization_id)

    async def is_member(self, organization_id: str) -> bool:
        """As ``CallerAccess.is_member``."""
        return await self._is_member(organization_id)

    def visibility(self) -> Visibility:
        """Leaves out the wallets on which the user may not act."""
        return MemberVisibility(self._user_id, self._decide, self._known)

    async def _decide(self, organization_id: str) -> bool:
        decision = self._decisions.get(organization_id)
        if decision is None:
            try:
                decision = await self._may_act(organization_id)
            except UpstreamUnavailable as error:
                decision = error
            self._decisions[organization_id] = decision
        if isinstance(decision, UpstreamUnavailable):
            # Each operation of a batch gets an error of its own, to which facts can be added.
            raise UpstreamUnavailable(decision.detail, **decision.facts)
        return decision


_UNCHECKED = CallerAccess()


class Membership:
    """Verifies no owner: every user counts as existing (``WALLET_VERIFY_USERS`` is not set)."""

    verifies_owners = False
    """Whether owners are verified."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wallets = KnownWallets(database)

    async def admit(self, user_id: str, organization_id: str | None = None) -> bool:
        """Whether the owner of a new wallet is verified; if False, the wallet is created as unverified.

        Raises:
            UserUnknown, OrganizationUnknown: the owner does not exist.
            UpstreamUnavailable: the owner can't be checked, and the policy is to create no wallet then.
        """
        del user_id, organization_id
        return True

    def of_caller(self, user_id: str | None, restriction: Restriction | None = None) -> CallerAccess:
        """The access checks of a new request.

        Args:
            user_id: the user of its token; None for a client.
            restriction: of its key; None: no restriction.
        """
        if restriction is not None:
            return RestrictedAccess(restriction, self._wallets)
        return _UNCHECKED if user_id is None else self._of_user(user_id)

    def _of_user(self, user_id: str) -> CallerAccess:
        del user_id
        return _UNCHECKED

    async def verify_owners(self, report: Callable[[int], None] | None = None) -> None:
        """Verify the owners of all unverified wallets that were debited.

        Args:
            report: is called with the number of wallets so far.
        """


class CheckedMembership(Membership):
    """Checks users with the account and organization services, by the policy."""

    verifies_owners = True

    def __init__(self, database: Database, policy: "Policy", verification: "Verification") -> None:
        super().__init__(database)
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

    def _of_user(self, user_id: str) -> CallerAccess:
        """Checks a user's wallets by the policy."""
        return MemberAccess(
            user_id,
            partial(self._organization_of, user_id),
            partial(self._wallets_of, user_id),
            partial(self._policy.may_act, user_id=user_id),
            partial(self._policy.is_member, user_id=user_id),
            self._of_users,
        )

    async def verify_owners(self, report: Callable[[int], None] | None = None) -> None:
        """As ``Membership.verify_owners``."""
        await self._verification.run(report)

    async def _organization_of(self, user_id: str, wallet_id: str) -> str | None:
        """The organization of a user's wallet. It is read once and cached."""
        key = user_id, wallet_id
        if key in self._not_theirs:
            return None
        if key not in self._organizations:
            try:
                found = await self._database.read("get_wallet", wallet_id=wallet_id, user_id=user_id)
            except WalletNotFound:
                # The route finds the same, and reports it; the target of a transfer may be another user's wallet.
                self._not_theirs[key] = True
                return None
            document: dict[str, Any] = json.loads(found)
            self._organizations[key] = document["organization_id"]
        return self._organizations[key]

    async def _wallets_of(self, user_id: str, transaction_id: str) -> Sequence[str]:
        """The wallets of a posting that the user sees."""
        try:
            found = await self._database.read(
                "get_transaction", transaction_id=transaction_id, viewer=user_id
            )
        except WalletError as error:
            if error.code == "transaction_not_found":  # the ledger reports it
                return ()
            raise
        posting: dict[str, Any] = json.loads(found)
        return [leg["wallet_id"] for leg in posting["legs"] or [posting]]


async def _membership(request: Request) -> Membership:
    return request.app.state.membership


async def _caller_access(request: Request) -> CallerAccess:
    await principal(
        request
    )  # it is cached; FastAPI resolves this parameter perhaps before that of the caller
    return caller_access(request)


def caller_access(request: Request) -> CallerAccess:
    """The access checks of this request, whose caller is authenticated."""
    return access_of(request)


MembershipOf = Annotated[Membership, Depends(_membership)]
"""Parameter type of an endpoint that creates wallets."""

CallerAccessOf = Annotated[CallerAccess, Depends(_caller_access)]
"""Parameter type of an endpoint that checks wallets."""
