# Generated from wallet_client/_async/wallets.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Wallets: create, read, change, close."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from wallet_client._call import (
    PAGE_SIZE,
    UNSET,
    By,
    Call,
    Id,
    Moment,
    Unset,
    change_call,
    encode,
    get_call,
    moment,
    post_call,
)
from wallet_client._responses import balance_of, wallet_of, wallets_of
from wallet_client._sync.pages import Pages
from wallet_client._sync.runner import Runner
from wallet_client.keys import name_text
from wallet_client.money import Amount, amount_text

if TYPE_CHECKING:
    from wallet_client.models import Balance, Page, Wallet


class WalletsResource:
    """``client.wallets``: create, read, change and close wallets."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def create(
        self,
        *,
        user_id: Id,
        currency: str | None = None,
        initial_balance: Amount | None = None,
        name: str | None = None,
        wallet_type: Literal["fiat", "crypto", "hybrid"] | None = None,
        keeping: Literal["operating", "mirrored"] | None = None,
        credit_limit: Amount | None = None,
        organization_id: Id | None = None,
        network: str | None = None,
        address: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> "Wallet":
        """Create a wallet. By default it is a ``fiat`` wallet with the name ``main`` in the currency ``CREDIT``.

        Args:
            user_id: the owner.
            currency: its code; ``statistics.currencies`` lists them.
            initial_balance: in the wallet's currency, posted in the same call; below 0 only for a mirrored wallet.
            name: a user has at most one open wallet of each keeping, type, currency and name.
            wallet_type: the kind of money it holds.
            keeping: ``operating`` (the default): money is held here. ``mirrored``: a record of an account that is kept
                elsewhere or by hand, such as a bank account, a card or a house. It can't be changed later.
            credit_limit: in the wallet's currency, how far below zero the balance may go; default 0. A mirrored wallet
                has none.
            organization_id: the organization to which the wallet belongs, besides the user.
            network: of a crypto wallet.
            address: of a crypto wallet.
            metadata: a JSON object, at most 16 KiB.
            idempotency_key: the wallet is created once per key; default: a new key.

        Raises:
            WalletExists: the user already has an open wallet of this keeping, type, currency and name; its ``wallet_id``.
            CurrencyUnknown: the currency does not exist.
            AmountPrecision: an amount has more decimals than the currency.
            UserUnknown, OrganizationUnknown: the user or organization does not exist.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        body = {
            "user_id": name_text(user_id),
            "currency": currency,
            "initial_balance": None if initial_balance is None else amount_text(initial_balance),
            "name": name,
            "wallet_type": wallet_type,
            "keeping": keeping,
            "credit_limit": None if credit_limit is None else amount_text(credit_limit),
            "organization_id": None if organization_id is None else name_text(organization_id),
            "network": network,
            "address": address,
            "metadata": metadata,
        }
        return self._runner.run(post_call("create_wallet", "/wallets", wallet_of, body, idempotency_key))

    def get(self, wallet_id: Id) -> "Wallet":
        """Read a wallet, with its balance.

        Args:
            wallet_id: the wallet.

        Raises:
            WalletNotFound: the wallet does not exist, or the caller may not see it.
        """
        call = get_call("get_wallet", "/wallets/{wallet_id}", wallet_of, wallet_id=wallet_id)
        return self._runner.run(call)

    def update(
        self,
        wallet_id: Id,
        *,
        name: str | Unset = UNSET,
        status: Literal["active", "frozen"] | Unset = UNSET,
        is_primary: bool | Unset = UNSET,
        credit_limit: Amount | Unset = UNSET,
        metadata: Mapping[str, Any] | Unset | None = UNSET,
        if_version: int | None = None,
    ) -> "Wallet":
        """Change a wallet. Arguments that are left out (``wallet_client.UNSET``) change nothing.

        The call has no idempotency key: if a first attempt gets no response and a later one is refused, the error is
        ``OutcomeUnknown``.

        Args:
            wallet_id: the wallet.
            name: the new name.
            status: ``frozen`` refuses debits, ``active`` allows them again.
            is_primary: True: this is the wallet from which the user's credits are consumed.
            credit_limit: in the wallet's currency, how far below zero the balance may go.
            metadata: merged with the present one: a member that is None is removed. None removes all members.
            if_version: change the wallet only if this is still its ``version``.

        Raises:
            VersionMismatch: the wallet has another version than ``if_version``; ``version`` is the present one.
            WalletNotFound: the wallet does not exist, or the caller may not see it.
            WalletClosed: the wallet is closed.
            WalletExists: the user has another open wallet with this name.
            CreditLimitInUse: the balance is below what the new limit allows.
            OutcomeUnknown: the change may have been made; read the wallet.
            TypeError: a member other than ``metadata`` is None.
        """
        members: dict[str, Any] = {
            "name": name,
            "status": status,
            "is_primary": is_primary,
            "credit_limit": UNSET if isinstance(credit_limit, Unset) else amount_text(credit_limit),
            "metadata": metadata,
        }
        body = {member: value for member, value in members.items() if value is not UNSET}
        for member, value in body.items():
            if value is None and member != "metadata":
                raise TypeError(f"{member} can't become None; leave it out to keep it")
        return self._runner.run(_change("update_wallet", "PATCH", wallet_id, if_version, encode(body)))

    def close(self, wallet_id: Id, *, if_version: int | None = None) -> "Wallet":
        """Close a wallet whose balance is 0. Its history stays, and its name can be used again.

        The call has no idempotency key; see ``update``.

        Args:
            wallet_id: the wallet.
            if_version: close the wallet only if this is still its ``version``.

        Raises:
            WalletNotEmpty: the balance or the locked balance is not 0.
            VersionMismatch: the wallet has another version than ``if_version``; ``version`` is the present one.
            WalletNotFound: the wallet does not exist, or the caller may not see it.
            OutcomeUnknown: the wallet may have been closed; read it.
        """
        return self._runner.run(_change("close_wallet", "DELETE", wallet_id, if_version, None))

    def balance(self, wallet_id: Id, *, at: Moment | None = None, by: By | None = None) -> "Balance":
        """Read a balance, in the wallet's currency: the present one, or the one at a past moment.

        Args:
            wallet_id: the wallet.
            at: the balance after every entry until this moment, with a time zone; default: now.
            by: which moment of an entry counts: ``posted`` (the default), so that the result never changes afterwards; or
                ``effective``: when it happened, so that what was entered later is included.

        Raises:
            WalletNotFound: the wallet does not exist, or the caller may not see it.
            ValueError: the moment can't be read, or has no time zone.
        """
        query = {"at": moment(at, "at"), "by": by}
        call = get_call("get_balance", "/wallets/{wallet_id}/balance", balance_of, query, wallet_id=wallet_id)
        return self._runner.run(call)

    def list(
        self,
        *,
        user_id: Id | None = None,
        currency: str | None = None,
        status: Literal["active", "frozen", "closed"] | None = None,
        wallet_type: Literal["fiat", "crypto", "hybrid"] | None = None,
        verified: bool | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "Pages[Wallet]":
        """The wallets of a user, or without ``user_id`` of all users; oldest first, closed wallets included.

        Args:
            user_id: the user.
            currency: only wallets in this currency; needs ``user_id``.
            status: only wallets with this status; needs ``user_id``.
            wallet_type: only wallets of this type; needs ``user_id``.
            verified: False: only wallets whose user has not been checked yet; only without ``user_id``.
            page_size: items per request, 1 to 100.

        Raises:
            Forbidden: without ``user_id``: the caller is a user, or its key lacks the permission.
            ValidationFailed: a filter is used with, or without, ``user_id`` against the rules above.
        """
        query: dict[str, Any] = {
            "currency": currency,
            "status": status,
            "wallet_type": wallet_type,
            "verified": None if verified is None else str(verified).lower(),
            "limit": page_size,
        }
        ids = {} if user_id is None else {"user_id": user_id}
        route = "/wallets" if user_id is None else "/users/{user_id}/wallets"

        def page_after(cursor: str | None) -> "Call[Page[Wallet]]":
            return get_call("list_wallets", route, wallets_of, query | {"cursor": cursor}, **ids)

        return Pages(self._runner, page_after)


def _change(
    name: str, method: str, wallet_id: Id, if_version: int | None, body: bytes | None
) -> "Call[Wallet]":
    return change_call(name, method, "/wallets/{wallet_id}", wallet_of, body, if_version, wallet_id=wallet_id)
