"""The rate-limit tokens that an instance may spend for each caller, and how it gets more of them.

Time is divided into windows by the wall clock, at other moments for each caller. In every window a caller may spend the
limit. Without Redis the instance has the whole limit. With Redis it leases tokens from the shared count: usually in the
background, before its leased tokens are used up; near the end of a window also the first ones of the next window. Each
token is leased once, and can be spent in its window only. So all instances together never spend more than the limit.
"""

import asyncio
import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from wallet_service.platform.rate_limits.metrics import RateLimitMetrics
from wallet_service.platform.rate_limits.problems import RateLimited

LimitKind: TypeAlias = Literal["client", "user", "address"]

PORTION = 16
"""An instance leases one in so many of the tokens that are left, so that the other instances get some to the end."""

AHEAD = 8
"""In the last part of a window, one in so many, the first tokens of the next window are leased."""

UNCOUNTED_RETRY_S = 1
"""``Retry-After`` of a refusal because the shared count is unavailable, in seconds."""


class SharedCountUnavailable(Exception):
    """The shared count is unavailable."""


class SharedCount(Protocol):
    """Counts the tokens that all instances leased in each window."""

    @property
    def is_unavailable(self) -> bool:
        """Whether its last call failed."""
        ...

    async def take(self, key: str, tokens: int, expiry_s: int) -> int:
        """Add tokens to a count, and return the new count.

        Args:
            key: of a caller and window.
            tokens: to lease; negative to give back.
            expiry_s: seconds after which the count may be dropped.

        Raises:
            SharedCountUnavailable: the call failed; the tokens may have been counted.
        """
        ...


@dataclass(frozen=True, slots=True)
class Quota:
    """A rate limit.

    Attributes:
        kind: of the callers.
        tokens: how many each caller may spend in a window.
        window_s: the length of a window in seconds.
    """

    kind: LimitKind
    tokens: int
    window_s: int

    @property
    def policy(self) -> bytes:
        """The header ``RateLimit-Policy``."""
        return f'"{self.kind}";q={self.tokens};w={self.window_s}'.encode()

    def status(self, remaining: int, reset_s: int) -> bytes:
        """The header ``RateLimit``: so many tokens are left for so many seconds."""
        return b'"%b";r=%d;t=%d' % (self.kind.encode(), remaining, reset_s)


class Lease:
    """The tokens that this instance leased for one caller in one window.

    Attributes:
        left: tokens that can be spent.
        ends: the end of the window, in seconds of the wall clock.
    """

    __slots__ = (
        "call",
        "digest",
        "ends",
        "final",
        "following",
        "left",
        "name",
        "needed",
        "number",
        "overcounted",
        "renew_at",
        "spent",
        "unleased",
    )

    def __init__(self, name: str, digest: bytes, number: int, ends: int, tokens: int) -> None:
        self.name = name
        self.digest = digest
        self.number = number
        self.ends = ends
        self.left = 0
        self.spent = 0
        self.unleased = tokens  # not leased by any instance, as far as this one knows
        self.renew_at = 0  # with so few tokens left, more are leased
        self.final = False  # no more tokens can be leased in this window
        self.call: asyncio.Task[None] | None = None
        self.needed = 0  # tokens that waiting requests need
        self.overcounted = 0  # counted beyond the limit, and not leased
        self.following: Lease | None = None

    def __repr__(self) -> str:
        return f"Lease({self.left} left, {self.spent} spent, {self.unleased} unleased, window {self.number})"

    def remaining(self) -> int:
        """The tokens that the caller can still spend, as far as this instance knows."""
        return self.left if self.final else self.left + self.unleased


class TokenLeases:
    """The leases of one instance for one limit.

    Args:
        quota: the limit.
        metrics: counts refusals and waits.
        shared_count: the count that all instances share; None if this instance counts by itself.
        deny_when_unavailable: whether requests are refused while the shared count is unavailable; if not, the instance
            counts by itself then.
        most_callers: beyond so many callers in a window, the oldest lease is dropped, as if that caller had spent
            nothing; None for no bound, where only authenticated callers have leases.
        clock: the wall clock. Clocks of instances must differ by much less than a window.
    """

    def __init__(
        self,
        quota: Quota,
        metrics: RateLimitMetrics,
        shared_count: SharedCount | None = None,
        *,
        deny_when_unavailable: bool = False,
        most_callers: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.quota = quota
        self._metrics = metrics
        self._shared_count = shared_count
        self._deny_when_unavailable = deny_when_unavailable
        self._most_callers = most_callers
        self._clock = clock
        if shared_count is not None:
            # Imported here, because it imports every storage that it knows: only if a count is shared.
            from limits import RateLimitItemPerSecond  # noqa: PLC0415

            self._item = RateLimitItemPerSecond(quota.tokens, quota.window_s, namespace="wallet")
        # The oldest first. Leases of past windows are dropped when one is created.
        self._leases: OrderedDict[str, Lease] = OrderedDict()
        self._calls: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._leases)

    def now(self) -> float:
        """The time by the clock of the limits."""
        return self._clock()

    async def spend(self, name: str, cost: int) -> tuple[int, int]:
        """Spend tokens of the caller. A cost above the limit counts as the limit.

        Returns:
            The ``status`` after that.

        Raises:
            RateLimited: too few tokens are left, and none were spent.
        """
        now = self._clock()
        lease = self._lease(name, now)
        cost = min(cost, self.quota.tokens)
        if lease.left < cost:
            lease = await self._with_enough(lease, cost)
            now = self._clock()
        lease.left -= cost
        lease.spent += cost
        if self._shared_count is not None and not lease.final:
            self._lease_ahead(self._shared_count, lease, now)
        return lease.remaining(), math.ceil(lease.ends - now)

    def status(self, name: str) -> tuple[int, int]:
        """The tokens that the caller has left, and the seconds until the window ends."""
        now = self._clock()
        lease = self._lease(name, now)
        return lease.remaining(), math.ceil(lease.ends - now)

    def refusal(self, retry_after_s: int) -> RateLimited:
        """A refusal of a request that was not charged, because its caller is known to have used up its limit."""
        return self._refusal("The limit is used up", retry_after_s)

    async def close(self) -> None:
        """Cancel calls of the shared count."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _lease(self, name: str, now: float) -> Lease:
        lease = self._leases.get(name)
        # A clock that is set back a little stays in its window, which only makes the window longer.
        if lease is not None and lease.ends - 2 * self.quota.window_s <= now < lease.ends:
            return lease
        return self._renew(name, lease, now)

    def _renew(self, name: str, before: Lease | None, now: float) -> Lease:
        # A hash, so that Redis gets no names of users, and keys have one length.
        digest = before.digest if before else hashlib.blake2b(name.encode(), digest_size=16).digest()
        phase = int.from_bytes(digest[:8]) % self.quota.window_s
        number = int((now - phase) // self.quota.window_s)
        following = before.following if before else None
        lease = following if following and following.number == number else self._create(name, digest, number)
        self._leases[name] = lease
        self._leases.move_to_end(name)
        while (oldest := next(iter(self._leases.values()))).ends <= now:
            del self._leases[oldest.name]
        if self._most_callers is not None and len(self._leases) > self._most_callers:
            self._leases.popitem(last=False)
        return lease

    def _create(self, name: str, digest: bytes, number: int) -> Lease:
        phase = int.from_bytes(digest[:8]) % self.quota.window_s
        lease = Lease(name, digest, number, (number + 1) * self.quota.window_s + phase, self.quota.tokens)
        if self._shared_count is None:
            self._lease_all(lease)
        return lease

    def _lease_all(self, lease: Lease) -> None:
        """Give this instance all tokens of the window that it has not spent."""
        lease.left = self.quota.tokens - lease.spent
        lease.final = True

    async def _with_enough(self, lease: Lease, cost: int) -> Lease:
        """A lease with enough tokens left. It leases more if needed; each call takes at most the timeout of Redis."""
        waited = False
        while lease.left < cost:
            is_unavailable = self._shared_count is not None and self._shared_count.is_unavailable
            if lease.final or self._shared_count is None or (not is_unavailable and lease.remaining() < cost):
                if waited:
                    self._return_surplus(lease)
                raise self._refusal("The limit is used up", self._wait_s(lease))
            if is_unavailable:
                if self._deny_when_unavailable:
                    raise self._refusal("Requests can't be counted now", UNCOUNTED_RETRY_S)
                self._lease_all(lease)
                continue
            if not waited:
                waited = True
                self._metrics.waits.inc()
            lease.needed += cost
            # Shielded, because other requests wait for the same call.
            await asyncio.shield(self._start_call(self._shared_count, lease))
            lease = self._lease(lease.name, self._clock())
        return lease

    def _lease_ahead(self, shared_count: SharedCount, lease: Lease, now: float) -> None:
        """Lease tokens that will be needed soon."""
        if shared_count.is_unavailable:
            return
        if lease.left <= lease.renew_at and lease.call is None:
            self._start_call(shared_count, lease)
        if lease.following is None and lease.ends - now <= self.quota.window_s / AHEAD:
            lease.following = self._create(lease.name, lease.digest, lease.number + 1)
            # Few, if the caller sends little to this instance, so that the others get more.
            self._start_call(shared_count, lease.following, max(1, lease.spent // 4))

    def _start_call(
        self, shared_count: SharedCount, lease: Lease, most: int | None = None
    ) -> asyncio.Task[None]:
        """The call that is under way, or a new one."""
        if lease.call is None:
            lease.call = asyncio.create_task(self._lease_more(shared_count, lease, most))
            self._calls.add(lease.call)
            lease.call.add_done_callback(self._calls.discard)
        return lease.call

    async def _lease_more(self, shared_count: SharedCount, lease: Lease, most: int | None) -> None:
        portion = max(1, lease.unleased // PORTION)
        if most is not None:
            portion = min(portion, most)
        requested = max(portion, lease.needed)
        lease.needed = 0
        limit = self.quota.tokens
        try:
            taken = await shared_count.take(self._key(lease), requested, 2 * self.quota.window_s)
        except SharedCountUnavailable:
            return  # requests that need tokens find out, and the policy decides
        finally:
            lease.call = None
            lease.needed = 0  # requests that still wait add their tokens again
        if not lease.final:  # it is final if the instance began to count by itself meanwhile
            granted = max(0, min(requested, limit - (taken - requested)))
            lease.left += granted
            lease.overcounted += requested - granted
            lease.unleased = max(0, limit - taken)
            lease.renew_at = portion // 2
            lease.final = lease.unleased == 0

    def _return_surplus(self, lease: Lease) -> None:
        """After a refusal, return the tokens that were leased for the request, except for a usual lease."""
        surplus = lease.left - max(1, self.quota.tokens // PORTION)
        if surplus > 0 and lease.call is None and self._shared_count is not None:
            lease.left -= surplus
            lease.call = asyncio.create_task(
                self._return(self._shared_count, lease, surplus + lease.overcounted)
            )
            lease.overcounted = 0
            self._calls.add(lease.call)
            lease.call.add_done_callback(self._calls.discard)

    async def _return(self, shared_count: SharedCount, lease: Lease, tokens: int) -> None:
        try:
            taken = await shared_count.take(self._key(lease), -tokens, 2 * self.quota.window_s)
        except SharedCountUnavailable:
            return  # the tokens are lost until the window ends, like those of a crashed instance
        finally:
            lease.call = None
            lease.needed = 0
        lease.unleased = max(0, self.quota.tokens - taken)
        lease.final = lease.unleased == 0

    def _key(self, lease: Lease) -> str:
        return self._item.key_for(self.quota.kind, lease.digest.hex(), lease.number)

    def _wait_s(self, lease: Lease) -> int:
        return max(1, math.ceil(lease.ends - self._clock()))

    def _refusal(self, detail: str, retry_after_s: int) -> RateLimited:
        quota = self.quota
        self._metrics.refusals[quota.kind].inc()
        error = RateLimited(detail, scope=quota.kind, limit=quota.tokens, window_s=quota.window_s)
        error.retry_after_s = retry_after_s
        return error
