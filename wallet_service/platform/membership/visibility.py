"""Which wallets a read of all wallets of a user shows."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import TypeAlias

from wallet_service.core.errors import Forbidden
from wallet_service.platform.database.gateway import Json

MOST_ORGANIZATIONS = 500
"""Of the wallets of a user who asks; ``wallet.list_unasked_organizations`` looks at one more."""

ASKED_AT_ONCE = 10
"""For one request: the upstream's other connections are for others."""

_UNASKED = b'{"unasked":'

Read: TypeAlias = Callable[[Json | None], Awaitable[bytes]]
"""Calls a function of the database with this for ``organizations``, which says what is shown; None: everything."""


class Visibility:
    """Shows all of them: a service asks, or nobody is asked about users."""

    async def read(self, read: Read) -> bytes:
        """What the function answers about the wallets that are shown.

        Raises:
            Forbidden: of so many organizations that nobody asks about all of them.
            UpstreamUnavailable: nobody can say what may be shown, and the policy is to show nothing then.
        """
        return await read(None)


ALL = Visibility()


class MemberVisibility(Visibility):
    """Leaves out those of organizations to which the user does not belong, the same ones for a whole request.

    The database answers with names instead where it finds organizations that nobody was asked about: so a wallet of a new
    one is neither shown unasked nor missing, and whoever is remembered costs no call.

    Args:
        user_id: who asks.
        may_act: whether they may, for an organization.
        known: the organizations of users' wallets as far as they are remembered; no wallet ever changes its own.
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
        self._shown: dict[str, bool] = {}

    async def read(self, read: Read) -> bytes:
        """As ``Visibility.read``."""
        if not self._shown:
            await self._ask(self._known.get(self._user_id, ()))
        while (answer := await read(Json.of(self._shown))).startswith(_UNASKED):
            unasked: list[str] = json.loads(answer)["unasked"]
            if len(self._shown) + len(unasked) > MOST_ORGANIZATIONS:
                self._known.pop(self._user_id, None)  # the next time nobody is asked before this
                raise Forbidden(
                    f"The user has wallets of more than {MOST_ORGANIZATIONS} organizations: ask for one wallet"
                )
            await self._ask(unasked)
            self._known[self._user_id] = tuple(self._shown)
        return answer

    async def _ask(self, organizations: Sequence[str]) -> None:
        for start in range(0, len(organizations), ASKED_AT_ONCE):
            part = organizations[start : start + ASKED_AT_ONCE]
            may = await asyncio.gather(*map(self._may_act, part))
            self._shown.update(zip(part, may, strict=True))
