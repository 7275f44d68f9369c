"""The declaration of the room of wallet statistics."""

from wallet_service.core.room import RecordedRead, RequestCost, Room
from wallet_service.money.permissions import STATS_READ

_OF_A_PERIOD = RequestCost(5)
_OF_EVERY_WALLET = RequestCost(20)

ROOM = Room(
    name="wallet_statistics",
    module=__name__,
    summary="totals by period of a wallet and a user, service statistics, trial balance, currencies",
    routers=("router:router",),
    tags={
        "statistics": "Totals of a period for a wallet or a user, totals of the service, trial balance, currencies."
    },
    permissions=(STATS_READ,),
    request_costs={
        "wallet_statistics": _OF_A_PERIOD,
        "user_statistics": _OF_A_PERIOD,
        "service_stats": _OF_EVERY_WALLET,
        "read_trial_balance": _OF_EVERY_WALLET,
    },
    recorded_reads={
        "wallet_statistics": RecordedRead(action="statistics.read"),
        "user_statistics": RecordedRead(action="user_statistics.read"),
    },
)
