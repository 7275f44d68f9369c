"""Sums over what was posted, and the currencies."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from wallet_client._call import Answer, Call, Id, get, moment
from wallet_client._decoding import reader_in
from wallet_client._method import Method, Resource, S_co

if TYPE_CHECKING:
    from wallet_client.sums import Currency, ServiceStats, TrialBalance, UserStatistics, WalletStatistics


def _read(model: str) -> Callable[[Answer], Any]:
    def read(answer: Answer) -> Any:
        return reader_in("sums", model)(answer.document)

    return read


def _period(
    from_: datetime | None, to: datetime | None, interval: Literal["day", "month"] | None
) -> dict[str, str | None]:
    return {"from": moment(from_), "to": moment(to), "interval": interval}


def wallet_statistics(
    wallet_id: Id,
    *,
    from_: datetime | None = None,
    to: datetime | None = None,
    interval: Literal["day", "month"] | None = None,
) -> "Call[WalletStatistics]":
    """Exact totals of a wallet's period, with the balances before and after.

    Args:
        wallet_id: whose.
        from_: posted at this moment or later.
        to: posted before this moment.
        interval: adds steps of a day or a month, UTC; needs ``from_``.
    """
    route = "/wallets/{wallet_id}/statistics"
    query = _period(from_, to, interval)
    return get("wallet_statistics", route, _read("WalletStatistics"), query, wallet_id=wallet_id)


def user_statistics(
    user_id: Id,
    *,
    from_: datetime | None = None,
    to: datetime | None = None,
    interval: Literal["day", "month"] | None = None,
) -> "Call[UserStatistics]":
    """Exact totals of all wallets of a user, by currency; as ``wallet_statistics``."""
    route = "/users/{user_id}/statistics"
    query = _period(from_, to, interval)
    return get("user_statistics", route, _read("UserStatistics"), query, user_id=user_id)


def service_stats() -> "Call[ServiceStats]":
    """The service at a glance."""
    return get("service_stats", "/wallet/stats", _read("ServiceStats"))


def trial_balance() -> "Call[TrialBalance]":
    """Per currency what the wallets hold and what came from each counter account."""
    return get("trial_balance", "/ledger/trial-balance", _read("TrialBalance"))


def list_currencies() -> "Call[list[Currency]]":
    """Every currency with its decimals."""

    def read(answer: Answer) -> "list[Currency]":
        one = reader_in("sums", "Currency")
        return [one(item) for item in answer.document["items"]]

    return get("list_currencies", "/currencies", read)


class Statistics(Resource[S_co]):
    """Sums over what was posted, and the currencies."""

    wallet = Method(wallet_statistics)
    user = Method(user_statistics)
    service = Method(service_stats)
    trial_balance = Method(trial_balance)
    currencies = Method(list_currencies)
