"""Wallets: make, read, change, close."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from wallet_client._call import ROOT, Answer, Call, Id, encode, get, moment, post, target
from wallet_client._decoding import reader_in
from wallet_client._method import ListMethod, Method, Resource, S_co
from wallet_client.keys import name_text, new_key
from wallet_client.money import Amount, amount_text

if TYPE_CHECKING:
    from wallet_client.models import Balance, Page, Wallet

MOST_ITEMS = 100
"""The longest page that the service gives."""


class Unset(Enum):
    """Tells what is not said from what is said to be None."""

    UNSET = "unset"


UNSET = Unset.UNSET
"""What is not said."""


def wallet_of(answer: Answer) -> "Wallet":
    """The wallet of an answer."""
    return reader_in("models", "Wallet")(answer.document)


def page_of(answer: Answer, model: str) -> "Page[Any]":
    """The page of an answer, whose items are of this model."""
    from wallet_client.models import Page  # noqa: PLC0415 - loaded at the first answer

    read = reader_in("models", model)
    return Page(tuple([read(item) for item in answer.document["items"]]), answer.document["next_cursor"])


def wallets_of(answer: Answer) -> "Page[Wallet]":
    """The page of wallets of an answer."""
    return page_of(answer, "Wallet")


def balance_of(answer: Answer) -> "Balance":
    """The balance of an answer."""
    return reader_in("models", "Balance")(answer.document)


def create_wallet(
    *,
    user_id: Id,
    currency: str | None = None,
    initial_balance: Amount | None = None,
    name: str | None = None,
    wallet_type: Literal["fiat", "crypto", "hybrid"] | None = None,
    credit_limit: Amount | None = None,
    organization_id: Id | None = None,
    network: str | None = None,
    address: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> "Call[Wallet]":
    """Make a wallet. What is left out is the service's default: a ``fiat`` wallet ``main`` in ``CREDIT``.

    Args:
        user_id: whose it is.
        currency: its code; ``list_currencies`` has them.
        initial_balance: posted as a deposit in the same call.
        name: one user has one open wallet of each type, currency and name.
        wallet_type: what it is for.
        credit_limit: how far below zero it may go.
        organization_id: to whom it belongs beside the user.
        network: of a crypto wallet.
        address: of a crypto wallet.
        metadata: free JSON, at most 16 KiB.
        idempotency_key: the call's name; default: a new one.

    Raises:
        WalletExists: the user has it already.
        CurrencyUnknown: there is no such currency.
    """
    body = {
        "user_id": name_text(user_id),
        "currency": currency,
        "initial_balance": None if initial_balance is None else amount_text(initial_balance),
        "name": name,
        "wallet_type": wallet_type,
        "credit_limit": None if credit_limit is None else amount_text(credit_limit),
        "organization_id": None if organization_id is None else name_text(organization_id),
        "network": network,
        "address": address,
        "metadata": metadata,
    }
    return post(
        "create_wallet",
        "/wallets",
        wallet_of,
        body,
        new_key() if idempotency_key is None else idempotency_key,
    )


def get_wallet(wallet_id: Id) -> "Call[Wallet]":
    """Read a wallet.

    Raises:
        WalletNotFound: there is none, or the caller may not see it.
    """
    return get("get_wallet", "/wallets/{wallet_id}", wallet_of, wallet_id=wallet_id)


def get_balance(wallet_id: Id, *, at: datetime | None = None) -> "Call[Balance]":
    """Read a balance: now, or after everything that was posted until a past moment.

    Raises:
        WalletNotFound: there is no such wallet, or the caller may not see it.
    """
    query = {"at": moment(at)}
    return get("get_balance", "/wallets/{wallet_id}/balance", balance_of, query, wallet_id=wallet_id)


def list_wallets(
    *,
    user_id: Id | None = None,
    currency: str | None = None,
    status: Literal["active", "frozen", "closed"] | None = None,
    wallet_type: Literal["fiat", "crypto", "hybrid"] | None = None,
    verified: bool | None = None,
    page_size: int = MOST_ITEMS,
) -> "Callable[[str | None], Call[Page[Wallet]]]":
    """The wallets of a user, closed ones too, or without ``user_id`` everybody's; oldest first.

    Args:
        user_id: whose.
        currency: only of this currency; with ``user_id``.
        status: only in this state; with ``user_id``.
        wallet_type: only of this type; with ``user_id``.
        verified: False: those whose user was never looked up; without ``user_id``.
        page_size: how many are asked for at a time, 1 to 100.
    """
    query: dict[str, Any] = {
        "currency": currency,
        "status": status,
        "wallet_type": wallet_type,
        "verified": None if verified is None else str(verified).lower(),
        "limit": page_size,
    }
    if user_id is None:
        return lambda cursor: get("list_wallets", "/wallets", wallets_of, query | {"cursor": cursor})
    return lambda cursor: get(
        "list_wallets", "/users/{user_id}/wallets", wallets_of, query | {"cursor": cursor}, user_id=user_id
    )


def update_wallet(
    wallet_id: Id,
    *,
    name: str | Unset = UNSET,
    status: Literal["active", "frozen"] | Unset = UNSET,
    is_primary: bool | Unset = UNSET,
    credit_limit: Amount | Unset = UNSET,
    metadata: Mapping[str, Any] | Unset | None = UNSET,
    if_version: int | None = None,
) -> "Call[Wallet]":
    """Change a wallet. What is left out, or ``wallet_client.UNSET``, stays.

    It has no idempotency key: where a first try was not answered and a later one is refused, the error is
    ``OutcomeUnknown``.

    Args:
        wallet_id: which.
        name: a new one.
        status: ``frozen`` refuses debits.
        is_primary: True makes it the one that the user's credits are consumed from.
        credit_limit: how far below zero it may go; 0: not at all.
        metadata: merged member by member, a None within removes one; None empties it.
        if_version: change it only while it has this ``version``.

    Raises:
        VersionMismatch: it has another version than ``if_version``.
        WalletClosed: it is closed.
        TypeError: None, where it would say neither that it stays nor what it becomes.
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
            raise TypeError(f"{member} can't become None; leave it out if it is to stay")
    return _change("update_wallet", "PATCH", wallet_id, if_version, encode(body))


def close_wallet(wallet_id: Id, *, if_version: int | None = None) -> "Call[Wallet]":
    """Close a wallet with zero balance and nothing locked. Its history stays; its name is free again.

    It has no idempotency key, as ``update_wallet``.

    Raises:
        WalletNotEmpty: something is in it.
        VersionMismatch: it has another version than ``if_version``.
    """
    return _change("close_wallet", "DELETE", wallet_id, if_version, None)


def _change(
    name: str, method: str, wallet_id: Id, if_version: int | None, body: bytes | None
) -> "Call[Wallet]":
    route = "/wallets/{wallet_id}"
    return Call(
        name,
        method,
        ROOT + route,
        target(route, wallet_id=wallet_id),
        wallet_of,
        writes=True,
        body=body,
        headers=() if if_version is None else (("If-Match", f'"{if_version}"'),),
    )


class Wallets(Resource[S_co]):
    """Wallets: make, read, change, close."""

    create = Method(create_wallet)
    get = Method(get_wallet)
    list = ListMethod(list_wallets)
    update = Method(update_wallet)
    close = Method(close_wallet)
    balance = Method(get_balance)
