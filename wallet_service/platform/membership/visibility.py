"""Which of a user's wallets a list, history or sum includes."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import NamedTuple, TypeAlias

from wallet_service.core.errors import Forbidden
from wallet_service.platform.auth.restrictions import Restriction
from wallet_service.platform.database.gateway import Json

MOST_ORGANIZATIONS = 500
"""Most organizations of one user's wallets; ``wallet.list_unasked_organizations`` returns up to one more."""

CHECKS_AT_ONCE = 10
"""Checks at a time for one request; the other connections are for other requests."""

_UNASKED = b'{"unasked":'


class Included(NamedTuple):
    """Parameters of a database function: which wallets it includes.

    Attributes:
        organizations: whether wallets of an organization are included; None: of all.
        restriction: of the caller's key; None: no restriction.
    """

    organizations: Json | None = None
    restriction: Json | None = None


Read: TypeAlias = Callable[[Included], Awaitable[bytes]]
"""Calls a database function for the wallets that are included."""


class Visibility:
    """Includes all wallets: the caller is a client, or users are not verified."""

    async def read(self, read: Read) -> bytes:
        """The result of the function for the wallets that are included.

        Raises:
            Forbidden: the wallets are of too many organizations to check.
            UpstreamUnavailable: a membership can't be checked, and the policy is to refuse then.
        """
        return await read(Included())


ALL = Visibility()


class RestrictedVisibility(Visibility):
    """Leaves out wallets that the caller's key does not cover."""

    def __init__(self, restriction: Restriction) -> None:
        self._restriction = restriction

    async def read(self, read: Read) -> bytes:
        """As ``Visibility.read``."""
        return await read(Included(restriction=Json.of(self._restriction.document())))


class MemberVisibility(Visibility):
    """Leaves out wallets of organizations to which the user does not belong; the same ones for a whole request.

    If the database finds wallets of organizations that were not checked yet, it returns these instead of the result. They
    are checked, and the read is repeated. So a wallet of a new organization is neither shown unchecked nor missing.

    Args:
        user_id: the user who calls.
        may_act: whether the user may act on wallets of an organization.
        known: the organizations of users' wallets as far as they are cached; that of a wallet never changes.
    """

    def __init__(
        self,
        user_id: str,
        may_act: Callable[[str], Awaitable[bool]],
        known: MutableMapping[str, tuple[str, ...]],
    ) -> None:
        self._user_id = user_id
        self._may_act = may_act
        self._known = known
        self._included: dict[str, bool] = {}

    async def read(self, read: Read) -> bytes:
        """As ``Visibility.read``."""
        if not self._included:
            await self._check(self._known.get(self._user_id, ()))
        while (result := await read(Included(Json.of(self._included)))).startswith(_UNASKED):
            unasked: list[str] = json.loads(result)["unasked"]
            if len(self._included) + len(unasked) > MOST_ORGANIZATIONS:
                self._known.pop(self._user_id, None)  # the next request must not check them first
                raise Forbidden(
                    f"The user has wallets of more than {MOST_ORGANIZATIONS} organizations: request a single wallet"
                )
            await self._check(unasked)
            self._known[self._user_id] = tuple(self._included)
        return result

    async def _check(self, organizations: Sequence[str]) -> None:
        for start in range(0, len(organizations), CHECKS_AT_ONCE):
            part = organizations[start : start + CHECKS_AT_ONCE]
            may = await asyncio.gather(*map(self._may_act, part))
            self._included.update(zip(part, may, strict=True))
