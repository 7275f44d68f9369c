"""What an instance may still spend of each caller's limit, and where it gets more.

Time is divided into windows by the wall clock, at other moments for each caller. Of every window a caller may spend the
limit. Without Redis the instance has it all at once. With Redis it takes portions of it: most of the time in the
background, before its own are used up, and near a window's end the first one of the next. Each token is lent once, and
can be spent in its window only, so the instances together never spend more than the limit in a window.
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

LimitScope: TypeAlias = Literal["client", "user"]

PORTION = 16
"""An instance takes this fraction of what nobody has taken yet, so that much is left for the others to the end."""

AHEAD = 8
"""In the last eighth of a window the next one's first portion is taken."""

UNCOUNTED_RETRY_S = 1
"""When to ask again, of an instance that can't count now and may not guess."""


class LenderUnavailable(Exception):
    """The lender does not answer."""


class Lender(Protocol):
    """Counts for all instances what was taken of each window."""

    @property
    def away(self) -> bool:
        """Whether it did not answer the last time it was asked."""
        ...

    async def take(self, key: str, tokens: int, expiry_s: int) -> int:
        """Take tokens (or give some back: fewer than none), and say how many were taken by everybody, these included.

        Raises:
            LenderUnavailable: it does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit.

    Attributes:
        scope: whom it is for.
        tokens: what each of them may spend in a window.
        window_s: seconds.
    """

    scope: LimitScope
    tokens: int
    window_s: int


class Share:
    """What one instance has of one window of one caller.

    Attributes:
        left: tokens to spend.
        ends: when, in seconds of the wall clock.
    """

    __slots__ = (
        "digest",
        "ends",
        "final",
        "following",
        "left",
        "loan",
        "low",
        "name",
        "number",
        "over",
        "spent",
        "unlent",
        "wanted",
    )

    def __init__(self, name: str, digest: bytes, number: int, ends: int, tokens: int) -> None:
        self.name = name
        self.digest = digest
        self.number = number
        self.ends = ends
        self.left = 0
        self.spent = 0
        self.unlent = tokens  # as far as this instance has heard
        self.low = 0  # so few left: time for another portion
        self.final = False  # there is no more to be had in this window
        self.loan: asyncio.Task[None] | None = None
        self.wanted = 0  # by those who wait for the next loan
        self.over = 0  # asked for and counted, but not there to be lent
        self.following: Share | None = None

    def __repr__(self) -> str:
        return f"Share({self.left} left, {self.spent} spent, {self.unlent} unlent, window {self.number})"

    def remaining(self) -> int:
        """Tokens the caller can still spend, as far as is known here."""
        return self.left if self.final else self.left + self.unlent


class TokenLeases:
    """The shares of one instance in one quota.

    Args:
        quota: the limit.
        metrics: counts.
        lender: shares the quota with the other instances; None for an instance on its own.
        deny_when_away: refuse what the lender can't count; otherwise the instance limits by itself.
        clock: the wall clock, which instances must agree on to well within a window.
    """

    def __init__(
        self,
        quota: Quota,
        metrics: RateLimitMetrics,
        lender: Lender | None = None,
        *,
        deny_when_away: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.quota = quota
        self._metrics = metrics
        self._lender = lender
        self._deny_when_away = deny_when_away
        self._clock = clock
        # It imports every storage that it knows, for those only who set a limit.
        from limits import RateLimitItemPerSecond  # noqa: PLC0415

        self._item = RateLimitItemPerSecond(quota.tokens, quota.window_s, namespace="wallet")
        # The oldest first: those whose window is over go when another is made.
        self._shares: OrderedDict[str, Share] = OrderedDict()
        self._loans: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._shares)

    async def spend(self, name: str, cost: int) -> tuple[int, int]:
        """Spend of the caller's limit; a cost over the whole limit is the whole limit.

        Returns:
            as ``status``, afterwards.

        Raises:
            RateLimited: there is not enough left; nothing was spent.
        """
        now = self._clock()
        share = self._share(name, now)
        cost = min(cost, self.quota.tokens)
        if share.left < cost:
            share = await self._with_enough(share, cost)
            now = self._clock()
        share.left -= cost
        share.spent += cost
        if self._lender is not None and not share.final:
            self._look_ahead(self._lender, share, now)
        return share.remaining(), math.ceil(share.ends - now)

    def status(self, name: str) -> tuple[int, int]:
        """What remains to the caller, and in how many seconds all of the limit is there again."""
        now = self._clock()
        share = self._share(name, now)
        return share.remaining(), math.ceil(share.ends - now)

    async def close(self) -> None:
        """Stop asking the lender."""
        for loan in self._loans:
            loan.cancel()
        await asyncio.gather(*self._loans, return_exceptions=True)

    def _share(self, name: str, now: float) -> Share:
        share = self._shares.get(name)
        # A clock that is set back a little stays in the window it was in: that only makes it longer.
        if share is not None and share.ends - 2 * self.quota.window_s <= now < share.ends:
            return share
        return self._renew(name, share, now)

    def _renew(self, name: str, before: Share | None, now: float) -> Share:
        # No name of a user goes to Redis, and names of any length make keys of one.
        digest = before.digest if before else hashlib.blake2b(name.encode(), digest_size=16).digest()
        phase = int.from_bytes(digest[:8]) % self.quota.window_s
        number = int((now - phase) // self.quota.window_s)
        following = before.following if before else None
        share = following if following and following.number == number else self._made(name, digest, number)
        self._shares[name] = share
        self._shares.move_to_end(name)
        while (oldest := next(iter(self._shares.values()))).ends <= now:
            del self._shares[oldest.name]
        return share

    def _made(self, name: str, digest: bytes, number: int) -> Share:
        phase = int.from_bytes(digest[:8]) % self.quota.window_s
        share = Share(name, digest, number, (number + 1) * self.quota.window_s + phase, self.quota.tokens)
        if self._lender is None:
            self._alone(share)
        return share

    def _alone(self, share: Share) -> None:
        """All of the limit that this instance has not spent in this window is its own."""
        share.left = self.quota.tokens - share.spent
        share.final = True

    async def _with_enough(self, share: Share, cost: int) -> Share:
        """A share with so much left, after a loan where one is needed; each takes no longer than the lender's timeout."""
        waited = False
        while share.left < cost:
            away = self._lender is not None and self._lender.away
            if share.final or self._lender is None or (not away and share.remaining() < cost):
                if waited:
                    self._give_back(share)
                raise self._refusal("The limit is used up", self._wait_s(share))
            if away:
                if self._deny_when_away:
                    raise self._refusal("Requests can't be counted now", UNCOUNTED_RETRY_S)
                self._alone(share)
                continue
            if not waited:
                waited = True
                self._metrics.waits.inc()
            share.wanted += cost
            # Others wait for the same loan: who goes away does not take it along.
            await asyncio.shield(self._loan(self._lender, share))
            share = self._share(share.name, self._clock())
        return share

    def _look_ahead(self, lender: Lender, share: Share, now: float) -> None:
        """Ask in good time for what will be spent soon."""
        if lender.away:
            return
        if share.left <= share.low and share.loan is None:
            self._loan(lender, share)
        if share.following is None and share.ends - now <= self.quota.window_s / AHEAD:
            share.following = self._made(share.name, share.digest, share.number + 1)
            # An instance that the caller hardly asks should not keep much from the others.
            self._loan(lender, share.following, max(1, share.spent // 4))

    def _loan(self, lender: Lender, share: Share, most: int | None = None) -> asyncio.Task[None]:
        """The loan that is under way, or a new one."""
        if share.loan is None:
            share.loan = asyncio.create_task(self._borrow(lender, share, most))
            self._loans.add(share.loan)
            share.loan.add_done_callback(self._loans.discard)
        return share.loan

    async def _borrow(self, lender: Lender, share: Share, most: int | None) -> None:
        portion = max(1, share.unlent // PORTION)
        if most is not None:
            portion = min(portion, most)
        asked = max(portion, share.wanted)
        share.wanted = 0
        limit = self.quota.tokens
        try:
            taken = await lender.take(self._key(share), asked, 2 * self.quota.window_s)
        except LenderUnavailable:
            return  # whoever needs tokens finds out, and the policy says what follows
        finally:
            share.loan = None
            share.wanted = 0  # who waits says so again
        if not share.final:  # which it is when it went on alone meanwhile
            granted = max(0, min(asked, limit - (taken - asked)))
            share.left += granted
            share.over += asked - granted
            share.unlent = max(0, limit - taken)
            share.low = portion // 2
            share.final = share.unlent == 0

    def _give_back(self, share: Share) -> None:
        """Leave to the others what was lent for a request that is refused all the same, but for a portion."""
        surplus = share.left - max(1, self.quota.tokens // PORTION)
        if surplus > 0 and share.loan is None and self._lender is not None:
            share.left -= surplus
            share.loan = asyncio.create_task(self._return(self._lender, share, surplus + share.over))
            share.over = 0
            self._loans.add(share.loan)
            share.loan.add_done_callback(self._loans.discard)

    async def _return(self, lender: Lender, share: Share, tokens: int) -> None:
        try:
            taken = await lender.take(self._key(share), -tokens, 2 * self.quota.window_s)
        except LenderUnavailable:
            return  # they are lost until the window ends, as those of an instance that dies
        finally:
            share.loan = None
            share.wanted = 0
        share.unlent = max(0, self.quota.tokens - taken)
        share.final = share.unlent == 0

    def _key(self, share: Share) -> str:
        return self._item.key_for(self.quota.scope, share.digest.hex(), share.number)

    def _wait_s(self, share: Share) -> int:
        return max(1, math.ceil(share.ends - self._clock()))

    def _refusal(self, detail: str, retry_after_s: int) -> RateLimited:
        quota = self.quota
        self._metrics.refusals[quota.scope].inc()
        error = RateLimited(detail, scope=quota.scope, limit=quota.tokens, window_s=quota.window_s)
        error.retry_after_s = retry_after_s
        return error
