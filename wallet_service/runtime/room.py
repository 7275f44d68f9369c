"""What the runtime itself declares: health and metrics of the process."""

from wallet_service.core.room import RequestCost, Room
from wallet_service.runtime.settings import MetricsSettings

ROOM = Room(
    name="runtime",
    module=__name__,
    summary="assembles, serves and stops the service; health and metrics",
    routers=("health:router", "metrics:router"),
    settings=MetricsSettings,
    request_costs={"metrics": RequestCost(0)},  # operators must see the service when it is busy
    lifespan="health:watch_readiness",
)
