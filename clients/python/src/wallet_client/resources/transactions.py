"""Movements of money: one by one, in batches, and what was posted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from wallet_client._call import Answer, Call, Id, get, moment, post
from wallet_client._decoding import reader_in
from wallet_client._method import ListMethod, Method, Resource, S_co
from wallet_client._problems import error_of
from wallet_client._retries import is_of_the_ledger
from wallet_client.keys import name_text, new_key
from wallet_client.money import Amount, amount_text
from wallet_client.operations import Operation, movement_members
from wallet_client.resources.wallets import MOST_ITEMS, page_of

if TYPE_CHECKING:
    from wallet_client.models import BatchResult, Entry, Page, Transaction


def transaction_of(answer: Answer) -> "Transaction":
    """The transaction of an answer."""
    return _transaction(answer.document, replayed=answer.replayed)


def _transaction(document: Mapping[str, Any], *, replayed: bool) -> "Transaction":
    made: Transaction = reader_in("models", "Transaction")(document)
    if replayed:
        object.__setattr__(made, "replayed", replayed)  # nobody has seen it yet
    return made


def entries_of(answer: Answer) -> "Page[Entry]":
    """The page of ledger rows of an answer."""
    return page_of(answer, "Entry")


def results_of(answer: Answer, key: str, operations: Sequence[Mapping[str, Any]]) -> "list[BatchResult]":
    """What became of each operation of a batch that has this key."""
    from wallet_client.models import Posted, Refused  # noqa: PLC0415 - loaded at the first answer

    def refused(index: int, problem: Mapping[str, Any]) -> Refused:
        error = error_of(problem)
        error.earlier_try_open = answer.earlier_try_open
        error.outcome_unknown = answer.earlier_try_open and not is_of_the_ledger(error)
        error.idempotency_key = operations[index].get("idempotency_key", f"{key}/{index}")
        return Refused(error)

    return [
        Posted(_transaction(result["transaction"], replayed=answer.replayed))
        if result["status"] == "posted"
        else refused(index, result["problem"])
        for index, result in enumerate(answer.document["results"])
    ]


def _movement(kind: str, summary: str):  # noqa: ANN202 - the type is the function's within
    route = f"/wallets/{{wallet_id}}/{kind}"

    def movement(
        wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: datetime | None = None,
        counter_account: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Call[Transaction]":
        members = movement_members(amount, description, reference, metadata, effective_at, counter_account)
        members["dry_run"] = dry_run or None
        key = new_key() if idempotency_key is None else idempotency_key
        return post(kind, route, transaction_of, members, key, wallet_id=wallet_id)

    movement.__name__ = kind
    movement.__doc__ = f"""{summary}

    Args:
        wallet_id: which wallet.
        amount: Decimal, int or text; never a float.
        description: for people, at most 1000 characters.
        reference: the caller's own name of it; histories can be filtered by it.
        metadata: free JSON, at most 16 KiB.
        effective_at: when it counts; default: when it is posted.
        counter_account: the other side; default by the kind of movement.
        dry_run: answer as if it were posted, and keep nothing.
        idempotency_key: the call's name; default: a new one.

    Raises:
        InsufficientFunds: a debit of more than is available.
        WalletNotFound: there is no such wallet, or the caller may not see it.
        OutcomeUnknown: no answer came in time; call again with the error's ``idempotency_key``.
    """
    return movement


deposit = _movement("deposit", "Money comes in.")
withdraw = _movement("withdraw", "Money goes out.")
consume = _movement("consume", "Usage is paid.")
reward = _movement("reward", "Credits are given.")
fee = _movement("fee", "A fee is paid.")


def transfer(
    wallet_id: Id,
    to_wallet_id: Id,
    amount: Amount,
    *,
    description: str | None = None,
    reference: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    effective_at: datetime | None = None,
    dry_run: bool = False,
    idempotency_key: str | None = None,
) -> "Call[Transaction]":
    """Move money to another wallet of the same currency: both in one posting, or neither.

    Raises:
        InsufficientFunds: more than is available.
        CurrencyMismatch: the other wallet holds another currency.
        OutcomeUnknown: no answer came in time; call again with the error's ``idempotency_key``.
    """
    members = movement_members(amount, description, reference, metadata, effective_at)
    members |= {"to_wallet_id": name_text(to_wallet_id), "dry_run": dry_run or None}
    key = new_key() if idempotency_key is None else idempotency_key
    return post(
        "transfer", "/wallets/{wallet_id}/transfer", transaction_of, members, key, wallet_id=wallet_id
    )


def refund(
    transaction_id: Id,
    amount: Amount | None = None,
    *,
    description: str | None = None,
    reference: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    effective_at: datetime | None = None,
    dry_run: bool = False,
    idempotency_key: str | None = None,
) -> "Call[Transaction]":
    """Give back a transaction: all that is left to refund, or ``amount`` of it.

    Raises:
        RefundExceeds: more than what is left; ``refundable`` says how much that is.
        NotRefundable: it is a refund itself.
        OutcomeUnknown: no answer came in time; call again with the error's ``idempotency_key``.
    """
    members = movement_members(amount, description, reference, metadata, effective_at)
    members["dry_run"] = dry_run or None
    key = new_key() if idempotency_key is None else idempotency_key
    route = "/transactions/{transaction_id}/refund"
    return post("refund", route, transaction_of, members, key, transaction_id=transaction_id)


def batch(
    operations: Iterable[Operation],
    *,
    atomic: bool = False,
    dry_run: bool = False,
    idempotency_key: str | None = None,
) -> "Call[list[BatchResult]]":
    """Post 1 to 500 operations in order; a ``Posted`` or ``Refused`` for each, in the same order.

    The error of a ``Refused`` has the operation's own ``idempotency_key``, with which it can be sent again. Where an
    earlier try was not answered, its ``earlier_try_open`` and ``outcome_unknown`` say what is not known.

    Args:
        operations: what to post. One without a key of its own is named by the batch's and its place.
        atomic: all or nothing: the first refusal is raised, with its ``index``.
        dry_run: answer as if they were posted, and keep nothing.
        idempotency_key: the batch's name; default: a new one.

    Raises:
        ServiceError: an atomic batch was refused, or the whole request.
        OutcomeUnknown: no answer came in time; call again with the error's ``idempotency_key``.
    """
    sent = [each.members for each in operations]
    members = {"operations": sent, "atomic": atomic or None, "dry_run": dry_run or None}
    key = new_key() if idempotency_key is None else idempotency_key
    return post("batch", "/transactions/batch", lambda answer: results_of(answer, key, sent), members, key)


def get_transaction(transaction_id: Id) -> "Call[Transaction]":
    """Read a posting.

    Raises:
        TransactionNotFound: there is none, or the caller may not see it.
    """
    route = "/transactions/{transaction_id}"
    return get("get_transaction", route, transaction_of, transaction_id=transaction_id)


def list_transactions(
    *,
    wallet_id: Id | None = None,
    user_id: Id | None = None,
    type: Literal["deposit", "withdraw", "consume", "transfer", "reward", "fee", "refund"] | None = None,  # noqa: A002 - the member's name
    from_: datetime | None = None,
    to: datetime | None = None,
    min_amount: Amount | None = None,
    max_amount: Amount | None = None,
    reference: str | None = None,
    counter_account: str | None = None,
    metadata: Mapping[str, str] | None = None,
    page_size: int = MOST_ITEMS,
) -> "Callable[[str | None], Call[Page[Entry]]]":
    """The ledger rows of a wallet, or of all wallets of a user; newest first.

    Args:
        wallet_id: of this wallet; or else ``user_id``.
        user_id: of this user's wallets.
        type: only of this kind.
        from_: posted at this moment or later.
        to: posted before this moment.
        min_amount: of this amount or more.
        max_amount: of this amount or less.
        reference: exactly this reference.
        counter_account: exactly this counter account.
        metadata: whose metadata have these top-level members, as text.
        page_size: how many are asked for at a time, 1 to 100.
    """
    query: dict[str, Any] = {
        "type": type,
        "from": moment(from_),
        "to": moment(to),
        "min_amount": None if min_amount is None else amount_text(min_amount),
        "max_amount": None if max_amount is None else amount_text(max_amount),
        "reference": reference,
        "counter_account": counter_account,
        "metadata": [f"{name}={value}" for name, value in metadata.items()] if metadata else None,
        "limit": page_size,
    }
    if (wallet_id is None) == (user_id is None):
        raise TypeError("a history is of a wallet_id or of a user_id")
    names = {"wallet_id": wallet_id} if wallet_id is not None else {"user_id": user_id or ""}
    route = "/wallets/{wallet_id}/transactions" if wallet_id is not None else "/users/{user_id}/transactions"
    return lambda cursor: get("list_transactions", route, entries_of, query | {"cursor": cursor}, **names)


class Transactions(Resource[S_co]):
    """Movements of money, and what was posted."""

    deposit = Method(deposit)
    withdraw = Method(withdraw)
    consume = Method(consume)
    reward = Method(reward)
    fee = Method(fee)
    transfer = Method(transfer)
    refund = Method(refund)
    batch = Method(batch)
    get = Method(get_transaction)
    list = ListMethod(list_transactions)
