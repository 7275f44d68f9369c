"""The shared count in Redis. Redis may be unavailable, slow or refuse access at any time."""

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
from wallet_service.platform.rate_limits.token_leases import SharedCountUnavailable

MOST_CONNECTIONS = 8
PROBE_FIRST_S = 0.25
PROBE_MAX_S = 5.0

_PROBE_KEY = "wallet/probe"

_log = structlog.get_logger(__name__)


class RedisCount:
    """The shared count of instances that use the same Redis.

    After a call failed, no request waits for Redis until a probe has written to it. The probe is repeated at growing,
    random intervals.

    Args:
        url: ``redis://`` or ``rediss://``, with the password.
        timeout_s: seconds for a call, including the connection.
        policy: what happens while Redis is unavailable, for the log.
        metrics: record whether it is.
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
    def is_unavailable(self) -> bool:
        """Whether a call failed, and no probe has succeeded since."""
        return self._probe is not None

    async def open(self) -> None:
        """Check whether Redis is available. The service starts also if it is not."""
        try:
            await self._count(_PROBE_KEY, 1, 1)
        except Exception as error:  # noqa: BLE001 - see take
            self._record_failure(error)
        else:
            self._metrics.shared.set(1)

    async def take(self, key: str, tokens: int, expiry_s: int) -> int:
        """Add tokens to the count and return the new count; see ``SharedCount``.

        Raises:
            SharedCountUnavailable: Redis did not respond, or with an error; the tokens may have been counted.
        """
        async with self._places:
            if self.is_unavailable:  # an earlier call has found it out
                raise SharedCountUnavailable
            try:
                return await self._count(key, tokens, expiry_s)
            # Any class: a server that is no Redis can send anything, and the client's errors are as many.
            except Exception as error:
                self._record_failure(error)
                raise SharedCountUnavailable from error

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
            raise ValueError("the response is not a count")
        return taken

    def _record_failure(self, error: Exception) -> None:
        if self.is_unavailable:
            return  # another call has logged it
        _log.warning(
            "redis_unavailable",
            error=f"{type(error).__name__}: {error}".rstrip(": "),
            policy=self._policy,
        )
        self._metrics.shared.set(0)
        self._probe = asyncio.create_task(self._probe_until_available())

    async def _probe_until_available(self) -> None:
        since = time.monotonic()
        await self._probes.run(self._probe_once)
        self._probe = None
        self._metrics.shared.set(1)
        _log.info("redis_available_again", unavailable_s=round(time.monotonic() - since, 1))

    async def _probe_once(self) -> None:
        # Broken connections are of no use, and a write proves more than a ping.
        await self._pool.disconnect(inuse_connections=False)
        await self._count(_PROBE_KEY, 1, 1)
