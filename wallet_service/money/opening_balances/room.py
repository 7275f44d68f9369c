"""The declaration of the room of opening balances."""

from wallet_service.core.room import JobType, RequestCost, Room
from wallet_service.money.opening_balances.settings import OpeningBalancesSettings

PATH = "/api/v1/wallets/import"
JOBS_PATH = f"{PATH}/jobs"

ROOM = Room(
    name="opening_balances",
    module=__name__,
    summary="import of wallets with their balances from CSV or JSON lines",
    routers=("router:router",),
    tags={"import": "Bring wallets with their balances from another system, as CSV or JSON lines."},
    commands="commands:add_commands",
    settings=OpeningBalancesSettings,
    request_costs={
        "import_wallets": RequestCost(100)
    },  # the number of lines is not known before the end of the body
    jobs=(
        JobType(
            name="import_file",
            summary="imports wallets with their balances from an uploaded file",
            handler="jobs:import_file",
            permission="admin",
            timeout_s=6 * 3600,
        ),
    ),
    body_limits={PATH: lambda settings: settings[OpeningBalancesSettings].max_bytes},
    unlimited_paths=(PATH,),
)
