"""The organization service: which organizations exist, and who belongs to them."""

import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from wallet_service.platform.upstreams.cache import CachedResponses
from wallet_service.platform.upstreams.client import UpstreamClient, path_of
from wallet_service.platform.upstreams.responses import answered, says_unknown


class _Organization(BaseModel):
    model_config = ConfigDict(strict=True)

    organization_id: str


class _Member(_Organization):
    user_id: str


class OrganizationClient:
    """Asks about organizations; answers are kept for a while."""

    def __init__(self, client: UpstreamClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._organizations = CachedResponses(self._ask_organization, clock)
        self._members = CachedResponses(self._ask_member, clock)

    async def validate_organization(self, organization_id: str, *, anew: bool = False) -> bool:
        """Whether there is such an organization.

        Args:
            organization_id: which.
            anew: don't take what is remembered.

        Raises:
            AnswerUnusable: the service said something else.
            UpstreamUnavailable: the service can't say now.
        """
        return await self._organizations.of(organization_id, anew=anew)

    async def is_member(self, organization_id: str, user_id: str) -> bool:
        """Whether the user belongs to the organization.

        Raises:
            AnswerUnusable: the service said something else.
            UpstreamUnavailable: the service can't say now.
        """
        return await self._members.of((organization_id, user_id))

    def was_no_member(self, organization_id: str, user_id: str) -> bool:
        """Whether the service's last word, however old, was that the user does not belong to the organization."""
        return self._members.said_no((organization_id, user_id))

    async def close(self) -> None:
        """Ask nothing more, and release the connections."""
        await self._organizations.close()
        await self._members.close()
        await self._client.close()

    async def _ask_organization(self, organization_id: str) -> bool:
        return await self._exists((organization_id,), _Organization, organization_id=organization_id)

    async def _ask_member(self, key: tuple[str, str]) -> bool:
        organization_id, user_id = key
        place = (organization_id, "members", user_id)
        return await self._exists(place, _Member, organization_id=organization_id, user_id=user_id)

    async def _exists(self, place: tuple[str, ...], shape: type[BaseModel], **asked: str) -> bool:
        try:
            path = path_of("api", "v1", "organizations", *place)
        except ValueError:
            return False  # nothing can have a name that can't be asked for

        def read(status: int, document: dict[str, Any]) -> bool:
            if says_unknown(status, document):
                return False
            answered(status, shape, document, **asked)
            return True

        return await self._client.ask("GET", path, read)
