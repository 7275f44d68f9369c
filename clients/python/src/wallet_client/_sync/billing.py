# Generated from wallet_client/_async/billing.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Explanations of balances, and the billing summary."""

from typing import TYPE_CHECKING

from wallet_client._call import Id, Moment, get_call, moment
from wallet_client._responses import billing_summary_of, explanation_of
from wallet_client._sync.runner import Runner

if TYPE_CHECKING:
    from wallet_client.billing import BillingSummary, Explanation


class BillingResource:
    """``client.billing``: why a balance is what it is, and what finance needs of a period."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def explain(
        self, wallet_id: Id, *, from_: Moment | None = None, at: Moment | None = None
    ) -> "Explanation":
        """Why a balance is what it is: movements, grants, limits and the last changes, from one snapshot.

        Args:
            wallet_id: the wallet.
            from_: movements are those of this moment or later; default: all.
            at: explains the balance at this past moment; default: now.

        Raises:
            WalletNotFound: the wallet does not exist, or the caller may not see it.
            ValueError: a moment can't be read, or has no time zone.
        """
        route = "/wallets/{wallet_id}/explain"
        query = {"from": moment(from_, "from_"), "at": moment(at, "at")}
        call = get_call("explain_wallet", route, explanation_of, query, wallet_id=wallet_id)
        return self._runner.run(call)

    def summary(self, *, from_: Moment | None = None, to: Moment | None = None) -> "BillingSummary":
        """What was granted, purchased, consumed, refunded and expired in a period, and what is owed at its end.

        Args:
            from_: the first moment of the period; default: the begin of the ledger.
            to: the first moment after the period; default: now.

        Raises:
            ValueError: a moment can't be read, or has no time zone.
        """
        query = {"from": moment(from_, "from_"), "to": moment(to, "to")}
        return self._runner.run(
            get_call("get_billing_summary", "/billing/summary", billing_summary_of, query)
        )
