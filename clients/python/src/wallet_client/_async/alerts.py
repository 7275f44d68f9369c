"""Alerts of wallets' balances, and burn rates."""

from typing import TYPE_CHECKING

from wallet_client._async.pages import AsyncPages
from wallet_client._async.runner import AsyncRunner
from wallet_client._call import (
    PAGE_SIZE,
    UNSET,
    Call,
    Id,
    Unset,
    change_call,
    encode,
    get_call,
    post_call,
)
from wallet_client._responses import alert_of, alerts_of, burn_rate_of, nothing_of
from wallet_client.money import Amount, amount_text

if TYPE_CHECKING:
    from wallet_client.alerts import Alert, BurnRate
    from wallet_client.models import Page

_ALL = "/wallets/{wallet_id}/alerts"
_ONE = "/wallets/{wallet_id}/alerts/{alert_id}"


class AsyncAlertsResource:
    """``client.alerts``: lines of available balances.

    Each crossing is an event: ``balance.low``, ``balance.depleted``, ``balance.recovered``.
    """

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner

    async def create(
        self,
        wallet_id: Id,
        *,
        amount: Amount | None = None,
        percent: Amount | None = None,
        hysteresis: Amount = 0,
        name: str = "",
        idempotency_key: str | None = None,
    ) -> "Alert":
        """Create an alert: with a user token one of the owner, else one of the operator.

        Args:
            wallet_id: the wallet.
            amount: the threshold: the alert is low when the available balance is this or less.
            percent: the threshold as a percentage of what was granted, instead of ``amount``.
            hysteresis: how far above the threshold it recovers: an amount, or with ``percent``, points.
            name: for people.
            idempotency_key: one alert is created per key; default: a new key.

        Raises:
            AlertLimit: the wallet has as many alerts of this side as it may have.
            ValidationFailed: the threshold is none, or both are given.
            AmountPrecision: an amount has more decimals than the currency.
            WalletClosed: the wallet is closed.
            WalletNotFound: there is no such wallet, or the caller may not see it.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        body = {
            "name": name,
            "amount": None if amount is None else amount_text(amount),
            "percent": None if percent is None else amount_text(percent),
            "hysteresis": amount_text(hysteresis),
        }
        return await self._runner.run(
            post_call("create_alert", _ALL, alert_of, body, idempotency_key, wallet_id=wallet_id)
        )

    async def get(self, wallet_id: Id, alert_id: Id) -> "Alert":
        """Read an alert with its state.

        Args:
            wallet_id: the wallet.
            alert_id: the alert.

        Raises:
            AlertNotFound: the wallet has no such alert.
            WalletNotFound: there is no such wallet, or the caller may not see it.
        """
        return await self._runner.run(
            get_call("get_alert", _ONE, alert_of, wallet_id=wallet_id, alert_id=alert_id)
        )

    def list(self, wallet_id: Id, *, page_size: int = PAGE_SIZE) -> "AsyncPages[Alert]":
        """The alerts of a wallet, those of the operator and those of its owner, newest first.

        Args:
            wallet_id: the wallet.
            page_size: items per request, 1 to 100.
        """

        def page_after(cursor: str | None) -> "Call[Page[Alert]]":
            query = {"limit": page_size, "cursor": cursor}
            return get_call("list_alerts", _ALL, alerts_of, query, wallet_id=wallet_id)

        return AsyncPages(self._runner, page_after)

    async def update(
        self,
        wallet_id: Id,
        alert_id: Id,
        *,
        amount: Amount | Unset = UNSET,
        percent: Amount | Unset = UNSET,
        hysteresis: Amount | Unset = UNSET,
        name: str | Unset = UNSET,
        if_version: int | None = None,
    ) -> "Alert":
        """Change an alert. Arguments that are left out (``wallet_client.UNSET``) change nothing.

        The call has no idempotency key: if a first attempt gets no response and a later one is refused, the error is
        ``OutcomeUnknown``.

        Args:
            wallet_id: the wallet.
            alert_id: the alert.
            amount: the threshold; it replaces a percentage.
            percent: the threshold as a percentage; it replaces an amount.
            hysteresis: how far above the threshold it recovers. Left out where the kind of the threshold changes: 0.
            name: for people.
            if_version: change it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            AlertNotOwn: the other side set it.
            AlertNotFound: the wallet has no such alert.
            ValidationFailed: it would be no alert.
            AmountPrecision: an amount has more decimals than the currency.
            WalletNotFound: there is no such wallet, or the caller may not see it.
            OutcomeUnknown: the change may have been made; read the alert.
        """
        numbers = {"amount": amount, "percent": percent, "hysteresis": hysteresis}
        members = {
            member: amount_text(value) for member, value in numbers.items() if not isinstance(value, Unset)
        }
        if not isinstance(name, Unset):
            members["name"] = name
        call = change_call(
            "update_alert",
            "PATCH",
            _ONE,
            alert_of,
            encode(members),
            if_version,
            wallet_id=wallet_id,
            alert_id=alert_id,
        )
        return await self._runner.run(call)

    async def delete(self, wallet_id: Id, alert_id: Id, *, if_version: int | None = None) -> None:
        """Delete an alert. The call has no idempotency key; see ``update``.

        Args:
            wallet_id: the wallet.
            alert_id: the alert.
            if_version: delete it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            AlertNotOwn: the other side set it.
            AlertNotFound: the wallet has no such alert.
            WalletNotFound: there is no such wallet, or the caller may not see it.
        """
        call = change_call(
            "delete_alert",
            "DELETE",
            _ONE,
            nothing_of,
            None,
            if_version,
            wallet_id=wallet_id,
            alert_id=alert_id,
        )
        return await self._runner.run(call)

    async def burn_rate(self, wallet_id: Id) -> "BurnRate":
        """What a wallet spent in the last hour, 24 hours and 7 days, and when it is empty at that rate.

        Args:
            wallet_id: the wallet.

        Raises:
            WalletNotFound: there is no such wallet, or the caller may not see it.
        """
        return await self._runner.run(
            get_call("get_burn_rate", "/wallets/{wallet_id}/burn-rate", burn_rate_of, wallet_id=wallet_id)
        )
