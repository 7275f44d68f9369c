"""The routes of totals, the trial balance and the list of currencies."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from wallet_service.core.errors import WalletBusy, WalletNotFound
from wallet_service.money.callers import StatsReader, WalletReader
from wallet_service.money.parameters import UserInPath, WalletInPath
from wallet_service.money.wallet_statistics.repository import StatisticsRepository
from wallet_service.money.wallet_statistics.schemas import (
    CurrencyPage,
    NoQuery,
    PeriodQuery,
    ServiceStats,
    TrialBalance,
    UserStatistics,
    WalletStatistics,
)
from wallet_service.money.wallet_statistics.service import trial_balance
from wallet_service.platform.auth.authentication import Caller
from wallet_service.platform.membership.access import CallerAccessOf
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web.body import StrictRoute
from wallet_service.platform.web.openapi import READS, problems
from wallet_service.platform.web.responses import JsonBytes
from wallet_service.platform.web.state import on_database

router = APIRouter(prefix="/api/v1", tags=["statistics"], route_class=StrictRoute)


Repository = Annotated[StatisticsRepository, on_database(StatisticsRepository)]
Nothing = Annotated[NoQuery, Query()]


@router.get(
    "/wallets/{wallet_id}/statistics",
    response_model=WalletStatistics,
    responses=problems(*READS, WalletNotFound, WalletBusy, UpstreamUnavailable),
    operation_id="get_wallet_statistics",
    summary="Read a wallet's totals in a period",
)
async def wallet_statistics(
    caller: WalletReader,
    wallet_id: WalletInPath,
    query: Annotated[PeriodQuery, Query()],
    repository: Repository,
) -> Response:
    """Exact totals and counts of the wallet's entries, by type and by counter account, with opening and closing balance.

    `from` is included, `to` is not; without them the period is open. With `interval` also for each day or month, in
    UTC. Amounts are in units of the currency. When a posting is under way that could still change the result, the
    request waits for it; after 2 seconds it is refused as `wallet_busy`.
    """
    return JsonBytes(await repository.of_wallet(str(wallet_id), caller.user_id, query.period()))


@router.get(
    "/users/{user_id}/statistics",
    response_model=UserStatistics,
    responses=problems(*READS, WalletNotFound, WalletBusy, UpstreamUnavailable),
    operation_id="get_user_statistics",
    summary="Read a user's totals in a period",
)
async def user_statistics(
    caller: WalletReader,
    user_id: UserInPath,
    query: Annotated[PeriodQuery, Query()],
    repository: Repository,
    access: CallerAccessOf,
) -> Response:
    """Exact totals and counts of the entries of all wallets of the user, by currency.

    Parameters and units are those of a wallet's totals. For a user token, wallets of organizations to which the user
    does not belong are left out.
    """
    caller.require_user(user_id)
    visibility = access.visibility()
    return JsonBytes(await repository.of_user(user_id, caller.user_id, query.period(), visibility))


@router.get(
    "/wallet/stats",
    response_model=ServiceStats,
    responses=problems(*READS),
    operation_id="get_service_statistics",
    summary="Read totals of the service",
)
async def service_stats(caller: StatsReader, query: Nothing, repository: Repository) -> Response:
    """The number of wallets by currency and status, their balances, and the number of entries in the ledger."""
    del caller, query
    return JsonBytes(await repository.of_service())


@router.get(
    "/ledger/trial-balance",
    responses=problems(*READS),
    operation_id="get_trial_balance",
    summary="Read the trial balance",
)
async def read_trial_balance(caller: StatsReader, query: Nothing, repository: Repository) -> TrialBalance:
    """For each currency the sum of all wallets, and with the opposite sign the sum of each counter account.

    In a ledger that balances, each currency adds up to zero.
    """
    del caller, query
    return trial_balance(*await repository.trial_balance())


@router.get(
    "/currencies",
    response_model=CurrencyPage,
    responses=problems(*READS),
    operation_id="list_currencies",
    summary="List the currencies",
)
async def list_currencies(caller: Caller, query: Nothing, repository: Repository) -> Response:
    """All currencies with their exponent, the number of decimals. There is one page."""
    del caller, query
    return JsonBytes(await repository.currencies())
