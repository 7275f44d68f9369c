"""Decisions that need upstream services, and what is decided while these are unavailable."""

from http import HTTPStatus
from typing import Literal, TypeAlias

from wallet_service.platform.membership.problems import OrganizationUnknown, UserUnknown
from wallet_service.platform.upstreams.accounts import AccountClient
from wallet_service.platform.upstreams.discovery import ACCOUNT
from wallet_service.platform.upstreams.organizations import OrganizationClient
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.upstreams.responses import ResponseUnusable

UnavailablePolicy: TypeAlias = Literal["allow", "deny"] | None
"""``WALLET_UPSTREAM_UNAVAILABLE_POLICY``; None: existing wallets work, and no new wallet is created."""


class Policy:
    """Decides which users get wallets, and which users may act on wallets of an organization."""

    def __init__(
        self, accounts: AccountClient, organizations: OrganizationClient, when_unavailable: UnavailablePolicy
    ) -> None:
        self._accounts = accounts
        self._organizations = organizations
        self._when_unavailable = when_unavailable

    async def admit(self, user_id: str, organization_id: str | None) -> bool:
        """Whether the owner of a new wallet is verified; if False, the wallet is created as unverified.

        Raises:
            UserUnknown, OrganizationUnknown: the owner does not exist.
            UpstreamUnavailable: the owner can't be checked, and the policy is to create no wallet then.
        """
        try:
            await self._require(user_id, organization_id)
        except ResponseUnusable as error:
            if error.refuses_id:
                raise (UserUnknown if error.upstream == ACCOUNT else OrganizationUnknown) from None
            unavailable = error.as_unavailable()
        except UpstreamUnavailable as error:
            unavailable = error
        else:
            return True
        if self._when_unavailable != "allow":
            raise unavailable
        return False

    async def exists(self, user_id: str, organization_id: str | None, *, refresh: bool = False) -> bool:
        """Whether the owner of a wallet exists, whatever the policy.

        Args:
            user_id: of the user.
            organization_id: of the organization, if the wallet belongs to one.
            refresh: whether to call the services although a result is cached.

        Raises:
            ResponseUnusable: a response is neither yes nor no, or rejects the id as impossible.
            UpstreamUnavailable: no instance responded.
        """
        try:
            await self._require(user_id, organization_id, refresh=refresh)
        except (UserUnknown, OrganizationUnknown):
            return False
        return True

    async def may_act(self, organization_id: str, user_id: str) -> bool:
        """Whether the user may read and debit a wallet of the organization.

        A response that is neither yes nor no counts as no, not as an outage: a user could have an id that causes such
        responses. Only a 401 counts as an outage, because it is about the credentials of this service.

        Raises:
            UpstreamUnavailable: the membership can't be checked, and the policy is to refuse then.
        """
        try:
            return await self.is_member(organization_id, user_id)
        except UpstreamUnavailable as error:
            unavailable = error
        if self._organizations.was_no_member(organization_id, user_id):
            return False
        if self._when_unavailable == "deny":
            raise unavailable
        return True

    async def is_member(self, organization_id: str, user_id: str) -> bool:
        """Whether the user is a member of the organization, whatever the policy.

        Raises:
            UpstreamUnavailable: it can't be checked.
        """
        try:
            return await self._organizations.is_member(organization_id, user_id)
        except ResponseUnusable as error:
            if error.status != HTTPStatus.UNAUTHORIZED:
                return False
            raise error.as_unavailable() from None

    async def _require(self, user_id: str, organization_id: str | None, *, refresh: bool = False) -> None:
        if not await self._accounts.validate_user(user_id, refresh=refresh):
            raise UserUnknown
        if organization_id is None:
            return
        if not await self._organizations.validate_organization(organization_id, refresh=refresh):
            raise OrganizationUnknown
