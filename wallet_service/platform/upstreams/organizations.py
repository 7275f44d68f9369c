"""Client of the organization service: which organizations exist, and which users are members."""

import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from wallet_service.platform.upstreams.cache import ResultCache
from wallet_service.platform.upstreams.client import UpstreamClient, path_of
from wallet_service.platform.upstreams.responses import is_unknown, read_body


class _Organization(BaseModel):
    model_config = ConfigDict(strict=True)

    organization_id: str


class _Member(_Organization):
    user_id: str


class OrganizationClient:
    """Reads organizations and memberships; results are cached."""

    def __init__(self, client: UpstreamClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._organizations = ResultCache(self._fetch_organization, clock)
        self._members = ResultCache(self._fetch_member, clock)

    async def validate_organization(self, organization_id: str, *, refresh: bool = False) -> bool:
        """Whether the organization exists.

        Args:
            organization_id: of the organization.
            refresh: whether to call the service although a result is cached.

        Raises:
            ResponseUnusable: the response is neither an organization nor "unknown".
            UpstreamUnavailable: no instance responded.
        """
        return await self._organizations.get(organization_id, refresh=refresh)

    async def is_member(self, organization_id: str, user_id: str) -> bool:
        """Whether the user belongs to the organization.

        Raises:
            ResponseUnusable: the response is neither a member nor "unknown".
            UpstreamUnavailable: no instance responded.
        """
        return await self._members.get((organization_id, user_id))

    def was_no_member(self, organization_id: str, user_id: str) -> bool:
        """Whether the last result, however old, was that the user does not belong to the organization."""
        return self._members.was_negative((organization_id, user_id))

    async def close(self) -> None:
        """Cancel calls under way, and close the connections."""
        await self._organizations.close()
        await self._members.close()
        await self._client.close()

    async def _fetch_organization(self, organization_id: str) -> bool:
        return await self._exists(
            "organizations", (organization_id,), _Organization, organization_id=organization_id
        )

    async def _fetch_member(self, key: tuple[str, str]) -> bool:
        organization_id, user_id = key
        segments = (organization_id, "members", user_id)
        return await self._exists(
            "members", segments, _Member, organization_id=organization_id, user_id=user_id
        )

    async def _exists(
        self, route: str, segments: tuple[str, ...], model: type[BaseModel], **ids: str
    ) -> bool:
        try:
            path = path_of("api", "v1", "organizations", *segments)
        except ValueError:
            return False  # an id that can't be in a path belongs to nothing

        def read(status: int, document: dict[str, Any]) -> bool:
            if is_unknown(status, document):
                return False
            read_body(status, model, document, **ids)
            return True

        return await self._client.ask("GET", path, read, route=route)
