"""What the service does when another one can't be asked."""

from http import HTTPStatus
from typing import Literal, TypeAlias

from wallet_service.platform.membership.problems import OrganizationUnknown, UserUnknown
from wallet_service.platform.upstreams.accounts import AccountClient
from wallet_service.platform.upstreams.discovery import ACCOUNT
from wallet_service.platform.upstreams.organizations import OrganizationClient
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.upstreams.responses import AnswerUnusable

UnavailablePolicy: TypeAlias = Literal["allow", "deny"] | None
"""``WALLET_UPSTREAM_UNAVAILABLE_POLICY``; None: what exists goes on, and no new wallet is made."""


class Policy:
    """Who gets a wallet, and who may act on an organization's."""

    def __init__(
        self, accounts: AccountClient, organizations: OrganizationClient, when_away: UnavailablePolicy
    ) -> None:
        self._accounts = accounts
        self._organizations = organizations
        self._when_away = when_away

    async def admit(self, user_id: str, organization_id: str | None) -> bool:
        """Whether a new wallet's owner is verified; False: it is made all the same, and marked.

        Raises:
            UserUnknown, OrganizationUnknown: there is no such owner.
            UpstreamUnavailable: nobody can say, and the policy is not to make it then.
        """
        try:
            await self._require(user_id, organization_id)
        except AnswerUnusable as error:
            if error.refuses_id:
                raise (UserUnknown if error.upstream == ACCOUNT else OrganizationUnknown) from None
            away = error.as_away()
        except UpstreamUnavailable as error:
            away = error
        else:
            return True
        if self._when_away != "allow":
            raise away
        return False

    async def exists(self, user_id: str, organization_id: str | None, *, anew: bool = False) -> bool:
        """Whether a wallet's owner exists, whatever the policy.

        Args:
            user_id: who.
            organization_id: of which organization, if any.
            anew: don't take what is remembered.

        Raises:
            AnswerUnusable: the services said something else, also that there can be no such id.
            UpstreamUnavailable: nobody can say now.
        """
        try:
            await self._require(user_id, organization_id, anew=anew)
        except (UserUnknown, OrganizationUnknown):
            return False
        return True

    async def may_act(self, organization_id: str, user_id: str) -> bool:
        """Whether the user may read and debit a wallet of the organization.

        An answer that is neither yes nor no is no outage, and no yes: a user could have an id that gets one. Only a 401
        is an outage, as it is about this service alone.

        Raises:
            UpstreamUnavailable: nobody can say, and the policy is to let nobody then.
        """
        try:
            return await self._organizations.is_member(organization_id, user_id)
        except AnswerUnusable as error:
            if error.answered != HTTPStatus.UNAUTHORIZED:
                return False
            away = error.as_away()
        except UpstreamUnavailable as error:
            away = error
        if self._organizations.was_no_member(organization_id, user_id):
            return False
        if self._when_away == "deny":
            raise away
        return True

    async def _require(self, user_id: str, organization_id: str | None, *, anew: bool = False) -> None:
        if not await self._accounts.validate_user(user_id, anew=anew):
            raise UserUnknown
        if organization_id is None:
            return
        if not await self._organizations.validate_organization(organization_id, anew=anew):
            raise OrganizationUnknown
