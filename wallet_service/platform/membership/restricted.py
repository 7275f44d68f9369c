"""Access checks of requests whose key is restricted to some wallets, counter accounts or amounts."""

import json
from typing import Any, NamedTuple

from cachetools import LRUCache

from wallet_service.core.errors import WalletNotFound
from wallet_service.platform.auth.restrictions import Restriction
from wallet_service.platform.database.gateway import Database

MOST_WALLETS = 50_000
"""Wallets whose owner is cached."""


class WalletFacts(NamedTuple):
    """What never changes about a wallet."""

    user_id: str
    organization_id: str | None
    currency: str
    keeping: str


class KnownWallets:
    """What never changes about wallets. Each is read once and cached."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._facts: LRUCache[str, WalletFacts] = LRUCache(MOST_WALLETS)

    async def find(self, wallet_id: str, restriction: Restriction) -> WalletFacts:
        """The facts of a wallet that a restriction covers.

        Raises:
            WalletNotFound: there is no such wallet, or it is not covered: the caller can't distinguish these.
        """
        if restriction.wallet_ids and wallet_id not in restriction.wallet_ids:
            raise WalletNotFound(wallet_id=wallet_id)
        facts = self._facts.get(wallet_id)
        if facts is None:
            found = await self._database.read("get_wallet", wallet_id=wallet_id, user_id=None)
            document: dict[str, Any] = json.loads(found)
            facts = WalletFacts(*(document[name] for name in WalletFacts._fields))
            self._facts[wallet_id] = facts
        if not restriction.covers(wallet_id, facts.user_id, facts.organization_id):
            raise WalletNotFound(wallet_id=wallet_id)
        return facts

    async def legs(self, transaction_id: str) -> list[dict[str, Any]]:
        """The entries of a posting.

        Raises:
            TransactionNotFound: there is none.
        """
        found = await self._database.read("get_transaction", transaction_id=transaction_id, viewer=None)
        posting: dict[str, Any] = json.loads(found)
        return posting["legs"] or [posting]
