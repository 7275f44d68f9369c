"""Verifies the owners of unverified wallets, in the background, after a debit."""

import asyncio
import contextvars
import json
import time
from collections.abc import Callable
from itertools import islice
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

MOST_WAITING = 1000
"""Wallets in the queue. A wallet that finds it full is queued after its next debit."""
GROUP = 100
"""Wallets that are read in one call of the database."""
MOST_SETTLED = 100_000
RETRY_S = UNKNOWN_S
"""The time before a wallet without a result is checked again, in seconds."""

_log = structlog.get_logger()


class Verification:
    """A queue of wallets, and one task that verifies them while the queue is not empty."""

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
        self._waiting: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def enqueue(self, wallet_id: str) -> None:
        """Queue a debited wallet, unless it is known to be verified. Never waits."""
        if wallet_id in self._settled or wallet_id in self._deferred or self._closed:
            return
        if len(self._waiting) >= MOST_WAITING:
            return
        self._waiting[wallet_id] = None
        if self._task is None or self._task.done():
            # In a context of its own: it works for many requests, so it has no request id.
            self._task = asyncio.create_task(self._work(), context=contextvars.Context())

    async def idle(self) -> None:
        """Wait until the queue is empty."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Cancel the task."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        while self._waiting:
            group = list(islice(self._waiting, GROUP))
            try:
                await self._verify(group)
            except WalletError as error:
                _log.warning("verification_postponed", reason=error.code, wallets=len(group))
                self._deferred.update(dict.fromkeys(group))
            except Exception:  # noqa: BLE001 - a fault must not stop it for the other wallets
                _log.exception("verification_failed")
                self._deferred.update(dict.fromkeys(group))
            for wallet_id in group:
                del self._waiting[wallet_id]

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
