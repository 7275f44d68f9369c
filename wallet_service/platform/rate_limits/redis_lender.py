"""Redis counts what all instances took of a limit. It may be away, slow or closed to us at any time."""

import asyncio
import time
from typing import Any, cast

import structlog
from limits.aio.storage import RedisStorage
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from wallet_service.core.retries import RetryPolicy
from wallet_service.platform.rate_limits.metrics import RateLimitMetrics
from wallet_service.platform.rate_limits.token_leases import LenderUnavailable

MOST_CONNECTIONS = 8
PROBE_FIRST_S = 0.25
PROBE_MAX_S = 5.0

_PROBE_KEY = "wallet/probe"

_log = structlog.get_logger(__name__)


class RedisLender:
    """The lender of instances that share a Redis.

    Once a call failed nobody waits for Redis again until it took a write from the probe, which knocks
    at growing and random intervals.

    Args:
        url: ``redis://`` or ``rediss://``, with the password.
        timeout_s: seconds that a call may take, its connection included.
        policy: what follows while Redis is away, for the log.
        metrics: shows whether it is.
    """

    def __init__(self, url: str, timeout_s: float, policy: str, metrics: RateLimitMetrics) -> None:
        self._timeout_s = timeout_s
        self._policy = policy
        self._metrics = metrics
        self._pool = ConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]  # its options are untyped
            url,
            max_connections=MOST_CONNECTIONS,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
        self._storage = RedisStorage(
            "async+redis://", implementation="redispy", connection_pool=cast("str", self._pool)
        )
        self._places = asyncio.Semaphore(MOST_CONNECTIONS)
        self._probe: asyncio.Task[None] | None = None
        self._closed = False
        self._probes = RetryPolicy(
            # The client can raise an error of its own in place of a cancellation: without the check, a probe went on.
            is_temporary=lambda _: not self._closed,
            pause_s=PROBE_FIRST_S,
            longest_pause_s=PROBE_MAX_S,
        )

    @property
    def away(self) -> bool:
        """Whether Redis failed and was not heard of since."""
        return self._probe is not None

    async def open(self) -> None:
        """Find out whether Redis is there; the service starts either way."""
        try:
            await self._count(_PROBE_KEY, 1, 1)
        except Exception as error:  # noqa: BLE001 - see take
            self._lost(error)
        else:
            self._metrics.shared.set(1)

    async def take(self, key: str, tokens: int, expiry_s: int) -> int:
        """Count these tokens, which are fewer than none when they are given back, and say how many were taken in all.

        Raises:
            LenderUnavailable: Redis did not answer, or not as it should; the tokens may have been counted.
        """
        async with self._places:
            if self.away:  # found out by those before us
                raise LenderUnavailable
            try:
                return await self._count(key, tokens, expiry_s)
            # What is no Redis can say anything, and its client fails in as many ways.
            except Exception as error:
                self._lost(error)
                raise LenderUnavailable from error

    async def close(self) -> None:
        """Stop the probe, and close the connections."""
        self._closed = True
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)
        await self._pool.aclose()

    async def _count(self, key: str, tokens: int, expiry_s: int) -> int:
        async with asyncio.timeout(self._timeout_s):
            taken: Any = await self._storage.incr(key, expiry_s, tokens)
        if not isinstance(taken, int) or taken < tokens:
            raise ValueError("what was said is no count")
        return taken

    def _lost(self, error: Exception) -> None:
        if self.away:
            return  # another call said it
        _log.warning(
            "redis_unavailable",
            error=f"{type(error).__name__}: {error}".rstrip(": "),
            policy=self._policy,
        )
        self._metrics.shared.set(0)
        self._probe = asyncio.create_task(self._knock())

    async def _knock(self) -> None:
        since = time.monotonic()
        await self._probes.run(self._probe_once)
        self._probe = None
        self._metrics.shared.set(1)
        _log.info("redis_available_again", away_s=round(time.monotonic() - since, 1))

    async def _probe_once(self) -> None:
        # Broken connections are of no use, and a write proves more than a ping.
        await self._pool.disconnect(inuse_connections=False)
        await self._count(_PROBE_KEY, 1, 1)
