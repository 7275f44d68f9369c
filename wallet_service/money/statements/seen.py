"""A posting as a caller with a restricted key sees it."""

from typing import Any

import simplejson

from wallet_service.platform.database.gateway import Json
from wallet_service.platform.membership.access import RestrictedAccess

_HIDDEN = ("user_id", "balance_before", "balance_after", "wallet_version")
"""Members of an entry that only callers see who see its wallet."""


async def seen_posting(access: RestrictedAccess, document: bytes) -> bytes | None:
    """A posting as a restricted key sees it; None: it sees none of its wallets.

    As for a user: an entry of a wallet that it covers comes first, and of other wallets the user, the balances and the
    version are null.
    """
    posting: dict[str, Any] = simplejson.loads(document, use_decimal=True)
    legs: list[dict[str, Any]] = posting["legs"] or [posting]
    seen = [await access.sees(leg["wallet_id"]) for leg in legs]
    if not any(seen):
        return None
    if all(seen):
        return document
    first = legs[seen.index(True)]
    shown = [
        leg if is_seen else leg | dict.fromkeys(_HIDDEN) for leg, is_seen in zip(legs, seen, strict=True)
    ]
    return Json.of(posting | first | {"legs": shown}).text.encode()
