"""Charges requests to the limits of their callers, and says on each answer what is left."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry
from starlette.types import Scope

from wallet_service.core.errors import RateLimited
from wallet_service.core.settings import Settings
from wallet_service.platform.rate_limits.costs import USUAL, cost_of, operations_of
from wallet_service.platform.rate_limits.metrics import RateLimitMetrics
from wallet_service.platform.rate_limits.token_leases import LimitScope, Quota, TokenLeases

HEADERS = "rate_limit_headers"
"""Where a request's state keeps the headers of its answer; the middleware sends them."""

_SHARES = "rate_limit_shares"


class Limiter:
    """The limits of one application.

    Args:
        shares: by scope; who has none is not limited.
    """

    def __init__(self, shares: Mapping[LimitScope, TokenLeases]) -> None:
        self._shares = shares
        self._policies = {
            each.quota.scope: f'"{each.quota.scope}";q={each.quota.tokens};w={each.quota.window_s}'.encode()
            for each in shares.values()
        }

    async def charge(self, scope: Scope, caller: str, kind: LimitScope) -> None:
        """Charge a request whose caller was just found out.

        Raises:
            RateLimited: too little is left.
        """
        shares = self._shares.get(kind)
        cost = cost_of(scope)
        if shares is not None and cost:
            scope["state"][_SHARES] = shares, caller
            await self._spend(scope, shares, caller, cost)

    async def charge_operations(self, scope: Scope, body: Mapping[str, Any]) -> None:
        """Charge what a batch costs beyond what ``charge`` took before its body was read.

        Raises:
            RateLimited: too little is left; what was taken before is not given back.
        """
        charged = scope["state"].get(_SHARES)
        if charged is None:
            return
        shares, caller = charged
        more = min(operations_of(body), shares.quota.tokens) - USUAL
        if more > 0:
            await self._spend(scope, shares, caller, more)

    async def _spend(self, scope: Scope, shares: TokenLeases, caller: str, cost: int) -> None:
        try:
            remaining, reset_s = await shares.spend(caller, cost)
        except RateLimited:
            self._say(scope, shares.quota.scope, *shares.status(caller))
            raise
        self._say(scope, shares.quota.scope, remaining, reset_s)

    def _say(self, scope: Scope, kind: LimitScope, remaining: int, reset_s: int) -> None:
        scope["state"][HEADERS] = (
            (b"ratelimit-policy", self._policies[kind]),
            (b"ratelimit", b'"%b";r=%d;t=%d' % (kind.encode(), remaining, reset_s)),
        )


@asynccontextmanager
async def open_limiter(settings: Settings, registry: CollectorRegistry) -> AsyncGenerator[Limiter | None]:
    """The limiter that the settings describe, None where they set no limit."""
    limits: Mapping[LimitScope, int | None] = {
        "client": settings.rate_limit_client_tokens,
        "user": settings.rate_limit_user_tokens,
    }
    if not any(limits.values()):
        yield None
        return
    metrics = RateLimitMetrics(registry)
    policy = settings.rate_limit_on_redis_down
    lender = None
    if settings.redis_url is not None:
        # Its imports, and where it is installed OpenTelemetry's SDK, are for those only who need them.
        from wallet_service.platform.rate_limits.redis_lender import RedisLender  # noqa: PLC0415

        url = settings.redis_url.get_secret_value()
        lender = RedisLender(url, settings.redis_timeout_ms / 1000, policy, metrics)
        metrics.redis_away.set_function(lambda lender=lender: lender.away)
        await lender.open()
    shares: dict[LimitScope, TokenLeases] = {
        scope: TokenLeases(
            Quota(scope, tokens, settings.rate_limit_window_s),
            metrics,
            lender,
            deny_when_away=policy == "deny",
        )
        for scope, tokens in limits.items()
        if tokens is not None
    }
    try:
        yield Limiter(shares)
    finally:
        for each in shares.values():
            await each.close()
        if lender is not None:
            await lender.close()
