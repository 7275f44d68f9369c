"""Top-ups of wallets that run low."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from wallet_client._async.pages import AsyncPages
from wallet_client._async.runner import AsyncRunner
from wallet_client._call import PAGE_SIZE, Call, Id, change_call, encode, get_call, post_call
from wallet_client._responses import nothing_of, top_up_of, top_up_rule_of, top_ups_of
from wallet_client.money import amount_text

if TYPE_CHECKING:
    from wallet_client.models import Page
    from wallet_client.money import Amount
    from wallet_client.top_ups import TopUp, TopUpRule

TopUpState: TypeAlias = Literal[
    "created",
    "charging",
    "pending",
    "charged",
    "completed",
    "declined",
    "failed",
    "cancelled",
    "refunded",
]
"""What a list of top-ups can be asked for."""

_ROUTE = "/wallets/{wallet_id}/top-ups"
_RULE = "/wallets/{wallet_id}/top-up-rule"


class AsyncTopUpsResource:
    """``client.top_ups``: charges that fill wallets, now and by rules."""

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner

    async def rule(self, wallet_id: Id) -> "TopUpRule":
        """Read the rule by which a wallet is topped up.

        Args:
            wallet_id: the wallet.

        Raises:
            TopUpRuleNotFound: it has none.
            WalletNotFound: there is no such wallet, or the caller may not see it.
        """
        return await self._runner.run(get_call("get_top_up_rule", _RULE, top_up_rule_of, wallet_id=wallet_id))

    async def set_rule(
        self,
        wallet_id: Id,
        *,
        threshold: "Amount",
        payment_method: str,
        target: "Amount | None" = None,
        amount: "Amount | None" = None,
        max_charges: int | None = None,
        max_amount: "Amount | None" = None,
        window_s: int | None = None,
        max_declines: int | None = None,
        backoff_s: int | None = None,
        if_version: int | None = None,
    ) -> "TopUpRule":
        """Set the rule of a wallet, in place of the one that it has; a pause of it ends.

        The call has no idempotency key: if a first attempt gets no response and a later one is refused, the error is
        ``OutcomeUnknown``.

        Args:
            wallet_id: the wallet.
            threshold: when the available balance is this or less, the wallet is topped up; 0: when it is empty.
            payment_method: what is charged, by its name at the payment service.
            target: each top-up is what is missing to this; either this or ``amount``.
            amount: each top-up is this.
            max_charges: most charges that begin in the window; default: a setting of the service.
            max_amount: the most that they may be together; default: no bound.
            window_s: seconds of the rolling window; default: a setting.
            max_declines: declined charges in a row after which the rule stops; default: a setting.
            backoff_s: seconds of the pause after the first declined charge; default: a setting.
            if_version: set it only if this is still its ``version``; 0: only if there is none.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            WalletNotFound: there is no such wallet, or the caller may not see it.
            WalletMirrored: the wallet is a record of an account kept elsewhere.
            WalletClosed: the wallet is closed.
            ValidationFailed: it has both target and amount, or neither, or a target that is not above the threshold.
            AmountPrecision: an amount has more decimals than the currency.
            OutcomeUnknown: the change may have been made; read the rule.
        """
        amounts = {"target": target, "amount": amount, "max_amount": max_amount}
        members: dict[str, Any] = {
            "threshold": amount_text(threshold),
            "payment_method": payment_method,
            **{name: None if value is None else amount_text(value) for name, value in amounts.items()},
            "max_charges": max_charges,
            "window_s": window_s,
            "max_declines": max_declines,
            "backoff_s": backoff_s,
        }
        body = encode({name: value for name, value in members.items() if value is not None})
        return await self._runner.run(
            change_call(
                "set_top_up_rule", "PUT", _RULE, top_up_rule_of, body, if_version, wallet_id=wallet_id
            )
        )

    async def delete_rule(self, wallet_id: Id, *, if_version: int | None = None) -> None:
        """Delete the rule of a wallet. The call has no idempotency key; see ``set_rule``.

        Args:
            wallet_id: the wallet.
            if_version: delete it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            TopUpRuleNotFound: there is none.
            WalletNotFound: there is no such wallet, or the caller may not see it.
        """
        call = change_call(
            "delete_top_up_rule", "DELETE", _RULE, nothing_of, None, if_version, wallet_id=wallet_id
        )
        return await self._runner.run(call)

    async def create(
        self,
        wallet_id: Id,
        amount: "Amount",
        *,
        payment_method: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> "TopUp":
        """Charge a payment method and deposit the amount, in the background: read the top-up until it has ended.

        Args:
            wallet_id: the wallet.
            amount: in its currency.
            payment_method: what is charged; default: that of the wallet's rule.
            reference: the caller's own name for it.
            metadata: the caller's object.
            idempotency_key: it is charged once per key; default: a new key.

        Raises:
            TopUpUnderWay: an earlier one of the wallet has not ended.
            WalletNotFound: there is no such wallet, or the caller may not see it.
            WalletMirrored, WalletClosed, WalletFrozen: the wallet can't be topped up.
            ValidationFailed: it names no payment method, and the wallet has no rule.
            AmountPrecision: the amount has more decimals than the currency.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        body = {
            "amount": amount_text(amount),
            "payment_method": payment_method,
            "reference": reference,
            "metadata": None if metadata is None else dict(metadata),
        }
        return await self._runner.run(
            post_call("create_top_up", _ROUTE, top_up_of, body, idempotency_key, wallet_id=wallet_id)
        )

    async def get(self, top_up_id: Id) -> "TopUp":
        """Read a top-up.

        Args:
            top_up_id: the top-up.

        Raises:
            TopUpNotFound: there is none, or the caller may not see its wallet.
        """
        return await self._runner.run(
            get_call("get_top_up", "/top-ups/{top_up_id}", top_up_of, top_up_id=top_up_id)
        )

    def list(
        self, wallet_id: Id, *, state: TopUpState | None = None, page_size: int = PAGE_SIZE
    ) -> "AsyncPages[TopUp]":
        """The top-ups of a wallet, newest first.

        Args:
            wallet_id: the wallet.
            state: only those in this state.
            page_size: items per request, 1 to 100.

        Raises:
            WalletNotFound: there is no such wallet, or the caller may not see it; when the first page is read.
        """

        def page_after(cursor: str | None) -> "Call[Page[TopUp]]":
            query = {"state": state, "limit": page_size, "cursor": cursor}
            return get_call("list_top_ups", _ROUTE, top_ups_of, query, wallet_id=wallet_id)

        return AsyncPages(self._runner, page_after)
