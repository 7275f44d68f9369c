"""Limits of what wallets may spend."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wallet_client._async.runner import AsyncRunner
from wallet_client._call import Id, change_call, encode, get_call
from wallet_client._responses import limits_of

if TYPE_CHECKING:
    from wallet_client.limits import Limits, NewLimit

_ROUTE = "/wallets/{wallet_id}/limits"


class AsyncLimitsResource:
    """``client.limits``: what wallets may spend. A debit above one is refused as LimitExceeded."""

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner

    async def get(self, wallet_id: Id) -> "Limits":
        """Read the limits of a wallet, those of the operator and those of its owner, with what is used of each.

        Args:
            wallet_id: the wallet.

        Raises:
            WalletNotFound: there is no such wallet, or the caller may not see it.
        """
        return await self._runner.run(get_call("get_limits", _ROUTE, limits_of, wallet_id=wallet_id))

    async def set(
        self, wallet_id: Id, limits: "Sequence[NewLimit]", *, if_version: int | None = None
    ) -> "Limits":
        """Replace the caller's limits of a wallet: with a user token those of the owner, else those of the operator.

        A limit that was there keeps its id and what is used of it, also with another amount. The call has no idempotency
        key: if a first attempt gets no response and a later one is refused, the error is ``OutcomeUnknown``.

        Args:
            wallet_id: the wallet.
            limits: at most 20; empty: none.
            if_version: replace them only if this is still their ``version``.

        Raises:
            VersionMismatch: they have another version than ``if_version``.
            WalletNotFound: there is no such wallet, or the caller may not see it.
            WalletMirrored: the wallet is a record of an account kept elsewhere.
            WalletClosed: the wallet is closed.
            ValidationFailed: one is not a limit, or two count the same.
            AmountPrecision: an amount has more decimals than the currency.
            OutcomeUnknown: the change may have been made; read the limits.
        """
        body = encode({"limits": [each.members for each in limits]})
        return await self._runner.run(
            change_call("set_limits", "PUT", _ROUTE, limits_of, body, if_version, wallet_id=wallet_id)
        )
