"""What the service does when another one can't be asked."""

from typing import Literal, TypeAlias

from wallet_service.errors import NeighbourUnavailable, OrganizationUnknown, UserUnknown
from wallet_service.neighbours.accounts import AccountClient
from wallet_service.neighbours.organizations import OrganizationClient

WhenAway: TypeAlias = Literal["allow", "deny"] | None
"""``WALLET_ON_NEIGHBOUR_DOWN``; None: what exists goes on, and no new wallet is made."""


class Policy:
    """Who gets a wallet, and who may act on an organization's."""

    def __init__(
        self, accounts: AccountClient, organizations: OrganizationClient, when_away: WhenAway
    ) -> None:
        self._accounts = accounts
        self._organizations = organizations
        self._when_away = when_away

    async def admit(self, user_id: str, organization_id: str | None) -> bool:
        """Whether a new wallet's owner is verified; False: it is made all the same, and marked.

        Raises:
            UserUnknown, OrganizationUnknown: there is no such owner.
            NeighbourUnavailable: nobody can say, and the policy is not to make it then.
        """
        try:
            await self._require(user_id, organization_id)
        except NeighbourUnavailable:
            if self._when_away != "allow":
                raise
            return False
        return True

    async def exists(self, user_id: str, organization_id: str | None) -> bool:
        """Whether a wallet's owner exists, whatever the policy.

        Raises:
            NeighbourUnavailable: nobody can say now.
        """
        try:
            await self._require(user_id, organization_id)
        except (UserUnknown, OrganizationUnknown):
            return False
        return True

    async def may_act(self, organization_id: str, user_id: str) -> bool:
        """Whether the user may read and debit a wallet of the organization.

        Raises:
            NeighbourUnavailable: nobody can say, and the policy is to let nobody then.
        """
        try:
            return await self._organizations.is_member(organization_id, user_id)
        except NeighbourUnavailable:
            if self._when_away == "deny":
                raise
            return True

    async def _require(self, user_id: str, organization_id: str | None) -> None:
        if not await self._accounts.validate_user(user_id):
            raise UserUnknown
        if organization_id is not None and not await self._organizations.validate_organization(
            organization_id
        ):
            raise OrganizationUnknown
