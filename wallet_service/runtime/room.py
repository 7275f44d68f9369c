"""Declares the runtime: health and metrics of the process."""

from wallet_service.core.room import RequestCost, Room
from wallet_service.runtime.settings import MetricsSettings

ROOM = Room(
    name="runtime",
    module=__name__,
    summary="assembles, serves and stops the service; health and metrics",
    routers=("health:router", "metrics:router"),
    tags={"health": "For operators: whether the process is alive and ready, and metrics for Prometheus."},
    settings=MetricsSettings,
    request_costs={"metrics": RequestCost(0)},  # operators need metrics of an overloaded service, too
    lifespan="lifespan:open_readiness",
)
