"""Opens the rate limits when the application starts."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from wallet_service.core.room import RoomContext
from wallet_service.platform.rate_limits.address_limit import AddressLimit
from wallet_service.platform.rate_limits.costs import RequestCosts
from wallet_service.platform.rate_limits.limiter import Limiter
from wallet_service.platform.rate_limits.metrics import RateLimitMetrics
from wallet_service.platform.rate_limits.settings import RateLimitSettings
from wallet_service.platform.rate_limits.token_leases import LimitKind, Quota, TokenLeases


@asynccontextmanager
async def open_limiter(context: RoomContext) -> AsyncGenerator[None]:
    """The limits that the settings describe: ``state.limiter`` for callers, ``state.address_limit`` for addresses.

    Each is None if the settings set no such limit.
    """
    settings = context.settings[RateLimitSettings]
    metrics = RateLimitMetrics(context.metrics)
    context.state.address_limit = AddressLimit.from_settings(settings, metrics)
    limits: Mapping[LimitKind, int | None] = {"client": settings.client_tokens, "user": settings.user_tokens}
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
    leases: dict[LimitKind, TokenLeases] = {
        kind: TokenLeases(
            Quota(kind, tokens, settings.window_s),
            metrics,
            shared_count,
            deny_when_unavailable=policy == "deny",
        )
        for kind, tokens in limits.items()
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
