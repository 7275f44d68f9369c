"""Limits requests without valid credentials by the address from which they come, so that guessing keys costs little."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog
from starlette.types import Scope

from wallet_service.platform.rate_limits.addresses import Network, address_of
from wallet_service.platform.rate_limits.headers import HEADERS
from wallet_service.platform.rate_limits.metrics import RateLimitMetrics
from wallet_service.platform.rate_limits.problems import RateLimited
from wallet_service.platform.rate_limits.token_leases import Quota, TokenLeases

if TYPE_CHECKING:
    from wallet_service.platform.rate_limits.settings import RateLimitSettings

WINDOW_S = 60
"""Short, because a valid caller may share the address, and its key is refused until then if it is not known yet."""

MOST_ADDRESSES = 20_000
"""Addresses that are counted in a window, about 10 MB."""

_log = structlog.get_logger(__name__)


class AddressLimit:
    """Counts the requests of each address that had no valid credentials.

    Each instance counts by itself, also with Redis: a flood of such requests must not become a flood of calls.

    Args:
        leases: the limit.
        trusted: the networks of proxies whose X-Forwarded-For counts.
    """

    def __init__(self, leases: TokenLeases, trusted: Sequence[Network]) -> None:
        self._leases = leases
        self._trusted = trusted
        self._used_up: dict[str, float] = {}  # the end of the window, by address
        self._until = 0.0  # when the last of these windows ends

    @classmethod
    def from_settings(cls, settings: "RateLimitSettings", metrics: RateLimitMetrics) -> "AddressLimit | None":
        """The limit that the settings describe, or None."""
        if settings.address_tokens == 0:
            return None
        quota = Quota("address", settings.address_tokens, WINDOW_S)
        return cls(TokenLeases(quota, metrics, most_callers=MOST_ADDRESSES), settings.trusted_proxies)

    def is_used_up(self, scope: Scope) -> bool:
        """Whether the address of a request has used up its limit; then only credentials that are known are valid."""
        # While no address is over its limit, which is the usual case, this is one comparison.
        if not self._used_up:
            return False
        now = self._leases.now()
        if now >= self._until:
            self._used_up.clear()
            return False
        address = address_of(scope, self._trusted)
        if self._used_up.get(address, now) > now:
            return True
        self._used_up.pop(address, None)
        return False

    async def charge(self, scope: Scope, *, is_used_up: bool) -> None:
        """Count a request whose credentials are missing or not valid.

        Args:
            scope: of the request.
            is_used_up: what ``is_used_up`` was for this request. Then it is refused also if the window has ended
                since: its credentials were not checked completely, and may be valid.

        Raises:
            RateLimited: the address has used up its limit.
        """
        address = address_of(scope, self._trusted)
        try:
            if is_used_up:
                raise self._leases.refusal(self._wait_s(address))
            remaining, reset_s = await self._leases.spend(address, 1)
        except RateLimited as refusal:
            quota, wait_s = self._leases.quota, refusal.retry_after_s or 1
            if address not in self._used_up:
                self._remember(address, wait_s, scope)
            scope["state"][HEADERS] = (
                (b"ratelimit-policy", quota.policy),
                (b"ratelimit", quota.status(0, wait_s)),
            )
            raise
        if remaining == 0:
            self._remember(address, reset_s, scope)

    def _wait_s(self, address: str) -> int:
        return max(1, math.ceil(self._used_up.get(address, 0.0) - self._leases.now()))

    def _remember(self, address: str, reset_s: int, scope: Scope) -> None:
        if len(self._used_up) >= MOST_ADDRESSES:
            del self._used_up[next(iter(self._used_up))]
        self._used_up[address] = ends = self._leases.now() + reset_s
        self._until = max(self._until, ends)
        _log.warning(
            "address_limited",
            address=address,
            limit=self._leases.quota.tokens,
            window_s=self._leases.quota.window_s,
            # With this header the address may be a proxy's, which WALLET_TRUSTED_PROXIES should name.
            is_forwarded=any(name == b"x-forwarded-for" for name, _ in scope["headers"]),
        )
