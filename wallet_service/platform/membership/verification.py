"""Verifies the owners of unverified wallets that were debited. A job does it every minute."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from cachetools import LRUCache, TTLCache

from wallet_service.core.errors import WalletError
from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.membership.policy import Policy
from wallet_service.platform.upstreams.cache import UNKNOWN_S
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.upstreams.responses import ResponseUnusable

GROUP = 100
"""Wallets that are read in one call of the database."""
MOST_SETTLED = 100_000
RETRY_S = UNKNOWN_S
"""The time before a wallet without a result is checked again, in seconds."""

_log = structlog.get_logger()


class Verification:
    """Verifies wallets for a job. What it remembers is that of this worker; another one begins with nothing."""

    def __init__(
        self, database: Database, policy: Policy, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._policy = policy
        self._clock = clock
        # Only a new wallet can be unverified, so a wallet that is verified stays verified.
        self._settled: LRUCache[str, None] = LRUCache(MOST_SETTLED)
        self._suspected_s: LRUCache[str, float] = LRUCache(MOST_SETTLED)
        self._deferred: TTLCache[str, None] = TTLCache(MOST_SETTLED, RETRY_S, clock)

    async def run(self, report: Callable[[int], None] | None = None) -> None:
        """Verify the owners of all unverified wallets that were debited.

        Args:
            report: is called with the number of wallets so far.

        Raises:
            Unavailable: the wallets can't be listed.
        """
        after: str | None = None
        done = 0
        while True:
            page: Any = json.loads(await self._database.read("list_debited_unverified_wallets", after=after))
            await self.check(page["wallet_ids"])
            done += len(page["wallet_ids"])
            if report is not None:
                report(done)
            after = page["next"]
            if after is None:
                return

    async def check(self, wallet_ids: Sequence[str]) -> None:
        """Verify the owners of these wallets, but for those that were checked a moment ago."""
        waiting = [each for each in dict.fromkeys(wallet_ids) if each not in self._settled]
        waiting = [each for each in waiting if each not in self._deferred]
        for start in range(0, len(waiting), GROUP):
            group = waiting[start : start + GROUP]
            try:
                await self._verify(group)
            except WalletError as error:
                _log.warning("verification_postponed", reason=error.code, wallets=len(group))
                self._deferred.update(dict.fromkeys(group))

    async def _verify(self, group: list[str]) -> None:
        answer = await self._database.read("list_unverified_wallets", wallet_ids=Json.of(group))
        unverified: dict[str, Any] = {wallet["wallet_id"]: wallet for wallet in json.loads(answer)}
        self._settled.update(dict.fromkeys(each for each in group if each not in unverified))
        for wallet_id, wallet in unverified.items():
            try:
                exists = await self._policy.exists(
                    wallet["user_id"], wallet["organization_id"], refresh=wallet_id in self._suspected_s
                )
            except ResponseUnusable:
                self._deferred[wallet_id] = None
                continue
            except UpstreamUnavailable:
                self._deferred.update(dict.fromkeys(unverified.keys() - self._settled.keys()))
                return
            if exists or self._is_certain(wallet_id):
                await self._settle(wallet_id, exists=exists)

    def _is_certain(self, wallet_id: str) -> bool:
        """Whether the owner is unknown for the second time: one wrong response must not freeze a wallet."""
        first_s = self._suspected_s.get(wallet_id)
        if first_s is not None and self._clock() - first_s >= UNKNOWN_S:
            return True
        if first_s is None:
            _log.warning("wallet_of_unknown_user", wallet_id=wallet_id)
            self._suspected_s[wallet_id] = self._clock()
        self._deferred[wallet_id] = None
        return False

    async def _settle(self, wallet_id: str, *, exists: bool) -> None:
        outcome = await self._database.repeat(
            "settle_wallet", wallet_id=wallet_id, exists=exists, caller=caller_param()
        )
        self._suspected_s.pop(wallet_id, None)
        if outcome == b"frozen":
            _log.warning("wallet_of_unknown_user_frozen", wallet_id=wallet_id)
        if outcome == b"verified":
            self._settled[wallet_id] = None
