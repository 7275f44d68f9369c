"""Declares the room."""

from wallet_service.core.room import Room
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.upstreams.settings import UpstreamSettings

ROOM = Room(
    name="upstreams",
    module=__name__,
    summary="clients of the account, organization and payment services: discovery, retries, breaker, cache",
    settings=UpstreamSettings,
    problems=(UpstreamUnavailable,),
)
