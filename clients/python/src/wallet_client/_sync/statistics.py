# Generated from wallet_client/_async/statistics.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Totals of periods, and the list of currencies."""

from typing import TYPE_CHECKING, Literal

from wallet_client._call import By, Id, Moment, get_call, moment
from wallet_client._responses import (
    currencies_of,
    service_stats_of,
    trial_balance_of,
    user_statistics_of,
    wallet_statistics_of,
)
from wallet_client._sync.runner import Runner

if TYPE_CHECKING:
    from wallet_client.sums import Currency, ServiceStats, TrialBalance, UserStatistics, WalletStatistics


class StatisticsResource:
    """``client.statistics``: totals of periods, and the list of currencies."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def wallet(
        self,
        wallet_id: Id,
        *,
        from_: Moment | None = None,
        to: Moment | None = None,
        interval: Literal["day", "month"] | None = None,
        by: By | None = None,
    ) -> "WalletStatistics":
        """Exact totals of a wallet in a period, with the balances before and after it.

        Args:
            wallet_id: the wallet.
            from_: the first moment of the period, with a time zone; default: the first posting.
            to: the first moment after the period; default: now.
            interval: adds the totals of each day or month (in UTC); needs ``from_``.
            by: which moment of an entry counts: ``posted`` (the default), or ``effective``: when it happened.

        Raises:
            WalletNotFound: the wallet does not exist, or the caller may not see it.
            ValueError: a moment can't be read, or has no time zone.
        """
        route = "/wallets/{wallet_id}/statistics"
        query = _period(from_, to, interval, by)
        call = get_call("wallet_statistics", route, wallet_statistics_of, query, wallet_id=wallet_id)
        return self._runner.run(call)

    def user(
        self,
        user_id: Id,
        *,
        from_: Moment | None = None,
        to: Moment | None = None,
        interval: Literal["day", "month"] | None = None,
        by: By | None = None,
    ) -> "UserStatistics":
        """Exact totals of all wallets of a user in a period, by currency.

        Args:
            user_id: the user.
            from_: the first moment of the period, with a time zone; default: the first posting.
            to: the first moment after the period; default: now.
            interval: adds the totals of each day or month (in UTC); needs ``from_``.
            by: which moment of an entry counts: ``posted`` (the default), or ``effective``: when it happened.

        Raises:
            WalletNotFound: the caller is another user.
            ValueError: a moment can't be read, or has no time zone.
        """
        route = "/users/{user_id}/statistics"
        query = _period(from_, to, interval, by)
        call = get_call("user_statistics", route, user_statistics_of, query, user_id=user_id)
        return self._runner.run(call)

    def service(self) -> "ServiceStats":
        """The number of wallets by currency, keeping and status, and their balances.

        Raises:
            Forbidden: the caller is a user, or its key lacks the permission.
        """
        return self._runner.run(get_call("service_stats", "/wallet/stats", service_stats_of))

    def trial_balance(self) -> "TrialBalance":
        """For each currency: the sum of all wallets, and that of each counter account. The lines sum to 0.

        Raises:
            Forbidden: the caller is a user, or its key lacks the permission.
        """
        return self._runner.run(get_call("trial_balance", "/ledger/trial-balance", trial_balance_of))

    def currencies(self) -> "list[Currency]":
        """Every currency, with its number of decimals."""
        return self._runner.run(get_call("list_currencies", "/currencies", currencies_of))


def _period(
    from_: Moment | None, to: Moment | None, interval: Literal["day", "month"] | None, by: By | None
) -> dict[str, str | None]:
    return {"from": moment(from_, "from_"), "to": moment(to, "to"), "interval": interval, "by": by}
