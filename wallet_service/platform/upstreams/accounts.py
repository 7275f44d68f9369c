"""The account service: who exists."""

import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from wallet_service.platform.upstreams.cache import CachedResponses
from wallet_service.platform.upstreams.client import UpstreamClient, path_of
from wallet_service.platform.upstreams.responses import answered, says_unknown


class Account(BaseModel):
    """What is read of an account; the service may say more."""

    model_config = ConfigDict(strict=True, frozen=True)

    user_id: str
    is_active: bool = True


class AccountClient:
    """Asks about users; answers are kept for a while."""

    def __init__(self, client: UpstreamClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._accounts = CachedResponses(self._ask, clock, is_yes=_is_active)

    async def get_user(self, user_id: str, *, anew: bool = False) -> Account | None:
        """The user's account; None when there is none.

        Args:
            user_id: whose.
            anew: don't take what is remembered.

        Raises:
            AnswerUnusable: the service said something else.
            UpstreamUnavailable: the service can't say now.
        """
        return await self._accounts.of(user_id, anew=anew)

    async def validate_user(self, user_id: str, *, anew: bool = False) -> bool:
        """Whether there is such a user, and their account is active; see ``get_user``."""
        return _is_active(await self.get_user(user_id, anew=anew))

    async def close(self) -> None:
        """Ask nothing more, and release the connections."""
        await self._accounts.close()
        await self._client.close()

    async def _ask(self, user_id: str) -> Account | None:
        try:
            path = path_of("api", "v1", "accounts", user_id)
        except ValueError:
            return None  # nobody can have an account that can't be asked for

        def read(status: int, document: dict[str, Any]) -> Account | None:
            if says_unknown(status, document):
                return None
            return answered(status, Account, document, user_id=user_id)

        return await self._client.ask("GET", path, read)


def _is_active(account: Account | None) -> bool:
    return account is not None and account.is_active
