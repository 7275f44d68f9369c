"""Client of the account service: which users exist."""

import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from wallet_service.platform.upstreams.cache import ResultCache
from wallet_service.platform.upstreams.client import UpstreamClient, path_of
from wallet_service.platform.upstreams.responses import is_unknown, read_body


class Account(BaseModel):
    """The members of an account that are used; the response may have more."""

    model_config = ConfigDict(strict=True, frozen=True)

    user_id: str
    is_active: bool = True


class AccountClient:
    """Reads accounts; results are cached."""

    def __init__(self, client: UpstreamClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._accounts = ResultCache(self._fetch, clock, is_positive=_is_active)

    async def get_user(self, user_id: str, *, refresh: bool = False) -> Account | None:
        """The user's account; None if there is none.

        Args:
            user_id: of the user.
            refresh: whether to call the service although a result is cached.

        Raises:
            ResponseUnusable: the response is neither an account nor "unknown".
            UpstreamUnavailable: no instance responded.
        """
        return await self._accounts.get(user_id, refresh=refresh)

    async def validate_user(self, user_id: str, *, refresh: bool = False) -> bool:
        """Whether the user exists and the account is active; errors as ``get_user``."""
        return _is_active(await self.get_user(user_id, refresh=refresh))

    async def close(self) -> None:
        """Cancel calls under way, and close the connections."""
        await self._accounts.close()
        await self._client.close()

    async def _fetch(self, user_id: str) -> Account | None:
        try:
            path = path_of("api", "v1", "accounts", user_id)
        except ValueError:
            return None  # an id that can't be in a path belongs to no account

        def read(status: int, document: dict[str, Any]) -> Account | None:
            if is_unknown(status, document):
                return None
            return read_body(status, Account, document, user_id=user_id)

        return await self._client.ask("GET", path, read, route="accounts")


def _is_active(account: Account | None) -> bool:
    return account is not None and account.is_active
