"""Declares the room."""

from wallet_service.core.room import Room
from wallet_service.platform.rate_limits.problems import RateLimited
from wallet_service.platform.rate_limits.settings import RateLimitSettings

ROOM = Room(
    name="rate_limits",
    module=__name__,
    summary="rate limits of callers, which instances share by leasing tokens in Redis",
    settings=RateLimitSettings,
    lifespan="lifespan:open_limiter",
    problems=(RateLimited,),
)
