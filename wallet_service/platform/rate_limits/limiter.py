"""Charges requests to the rate limits of their callers; headers of each response show what is left."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import Scope

from wallet_service.core.room import RoomContext
from wallet_service.platform.rate_limits.address_limit import AddressLimit
from wallet_service.platform.rate_limits.costs import RequestCosts
from wallet_service.platform.rate_limits.headers import HEADERS
from wallet_service.platform.rate_limits.metrics import RateLimitMetrics
from wallet_service.platform.rate_limits.problems import RateLimited
from wallet_service.platform.rate_limits.settings import RateLimitSettings
from wallet_service.platform.rate_limits.token_leases import LimitScope, Quota, TokenLeases

_LEASES = "rate_limit_leases"


class Limiter:
    """The limits of one application.

    Args:
        leases: by the kind of caller; a kind without leases is not limited.
        costs: the costs of requests.
    """

    def __init__(self, leases: Mapping[LimitScope, TokenLeases], costs: RequestCosts) -> None:
        self._leases = leases
        self._costs = costs
        self._policies = {each.quota.scope: each.quota.policy for each in leases.values()}

    async def charge(self, scope: Scope, caller: str, kind: LimitScope) -> None:
        """Charge a request, once its caller is authenticated.

        Args:
            scope: of the request.
            caller: its name.
            kind: of the caller.

        Raises:
            RateLimited: the caller has too few tokens left.
        """
        leases = self._leases.get(kind)
        cost = self._costs.of(scope)
        if leases is not None and cost:
            scope["state"][_LEASES] = leases, caller
            await self._spend(scope, leases, caller, cost)

    async def charge_operations(self, scope: Scope, body: Mapping[str, Any]) -> None:
        """Charge the operations of a batch request beyond the first, which ``charge`` charged.

        Raises:
            RateLimited: the caller has too few tokens left. Those of ``charge`` are not given back.
        """
        charged = scope["state"].get(_LEASES)
        if charged is None:
            return
        leases, caller = charged
        more = min(self._costs.of_operations(scope, body), leases.quota.tokens) - self._costs.of(scope)
        if more > 0:
            await self._spend(scope, leases, caller, more)

    async def _spend(self, scope: Scope, leases: TokenLeases, caller: str, cost: int) -> None:
        try:
            remaining, reset_s = await leases.spend(caller, cost)
        except RateLimited:
            self._add_headers(scope, leases.quota, *leases.status(caller))
            raise
        self._add_headers(scope, leases.quota, remaining, reset_s)

    def _add_headers(self, scope: Scope, quota: Quota, remaining: int, reset_s: int) -> None:
        scope["state"][HEADERS] = (
            (b"ratelimit-policy", self._policies[quota.scope]),
            (b"ratelimit", quota.status(remaining, reset_s)),
        )


@asynccontextmanager
async def open_limiter(context: RoomContext) -> AsyncGenerator[None]:
    """The limits that the settings describe: ``state.limiter`` for callers, ``state.address_limit`` for addresses.

    Each is None if the settings set no such limit. ``state.trusted_proxies`` has the networks of proxies.
    """
    settings = context.settings[RateLimitSettings]
    metrics = RateLimitMetrics(context.metrics)
    context.state.trusted_proxies = settings.trusted_proxies
    context.state.address_limit = AddressLimit.from_settings(settings, metrics)
    limits: Mapping[LimitScope, int | None] = {"client": settings.client_tokens, "user": settings.user_tokens}
    if not settings.limits_callers:
        context.state.limiter = None
        yield
        return
    policy = settings.on_redis_down
    shared_count = None
    if settings.redis_url is not None:
        # Its imports (OpenTelemetry's SDK among them, if installed) are needed only with Redis.
        from wallet_service.platform.rate_limits.redis_count import RedisCount  # noqa: PLC0415

        url = settings.redis_url.get_secret_value()
        shared_count = RedisCount(url, settings.redis_timeout_ms / 1000, policy, metrics)
        metrics.redis_unavailable.set_function(lambda shared_count=shared_count: shared_count.is_unavailable)
        await shared_count.open()
    leases: dict[LimitScope, TokenLeases] = {
        scope: TokenLeases(
            Quota(scope, tokens, settings.window_s),
            metrics,
            shared_count,
            deny_when_unavailable=policy == "deny",
        )
        for scope, tokens in limits.items()
        if tokens is not None
    }
    context.state.limiter = Limiter(leases, RequestCosts(context.rooms))
    try:
        yield
    finally:
        for each in leases.values():
            await each.close()
        if shared_count is not None:
            await shared_count.close()
