"""The operations that move money: one table of their members and rules, and how they are posted."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, TypeAlias, cast

from wallet_client.keys import new_key
from wallet_client.testing.fields import invalid
from wallet_client.testing.ledger import Document, Ledger, Wallet
from wallet_client.testing.problems import Refusal
from wallet_client.testing.values import EXPONENTS, MAX_WHOLE_DIGITS, dumps, text_of, trimmed, units_of

LONGEST_AHEAD = timedelta(days=1)
"""How far ahead an operation may take effect."""

DETAILS = "description reference metadata effective_at"
"""Members that every operation may have."""

Outcome: TypeAlias = tuple[Document, bool] | Refusal
"""The transaction, and whether an earlier request posted it; or why it was refused."""


class Operation(NamedTuple):
    """One operation as it was asked for; its type is one of ``OPERATION_TYPES``."""

    type: str
    members: Document
    key: str | None = None


class Move(NamedTuple):
    """What an operation does to one wallet: the signed amount is in the smallest unit."""

    wallet: Wallet
    signed: int
    counter_account: str


class OperationType(NamedTuple):
    """A type of operation: the member that names its wallet or its transaction, other members, and its rule."""

    subject: str
    required: str
    optional: str
    moves_of: Callable[[Ledger, Document], list[Move]]
    counter_account: str | None = None  # of an operation that names none


def _movement(sign: int, counter_account: str) -> OperationType:
    def moves_of(ledger: Ledger, members: Document) -> list[Move]:
        wallet = ledger.wallet(members["wallet_id"])
        signed = sign * units_of(members["amount"], wallet.currency)
        return [Move(wallet, signed, members.get("counter_account", counter_account))]

    return OperationType("wallet_id", "amount", f"{DETAILS} counter_account", moves_of, counter_account)


def _transfer(ledger: Ledger, members: Document) -> list[Move]:
    source = ledger.wallet(members["wallet_id"])
    if members["to_wallet_id"] == source.wallet_id:
        raise Refusal("same_wallet", wallet_id=source.wallet_id)
    target = ledger.wallet(members["to_wallet_id"])
    if target.currency != source.currency:
        raise Refusal("currency_mismatch", currency=source.currency, to_currency=target.currency)
    units = units_of(members["amount"], source.currency)
    return [
        Move(source, -units, f"wallet:{target.wallet_id}"),
        Move(target, units, f"wallet:{source.wallet_id}"),
    ]


def _refund(ledger: Ledger, members: Document) -> list[Move]:
    transaction_id = members["original_transaction_id"]
    legs = ledger.posting(transaction_id)
    if legs[0]["transaction_type"] == "refund":
        raise Refusal("not_refundable", transaction_id=transaction_id)
    currency = legs[0]["currency"]
    left = text_of(units_of(legs[0]["amount"], currency) - ledger.refunded.get(transaction_id, 0), currency)
    amount = members.get("amount", left)
    # An amount that is too large is refused for that, also where it has too many decimals.
    if not 0 < Decimal(amount) <= Decimal(left):
        raise Refusal("refund_exceeds", transaction_id=transaction_id, refundable=left)
    units = units_of(amount, currency)
    signed = {"debit": units, "credit": -units}
    return [
        Move(ledger.wallet(leg["wallet_id"]), signed[leg["direction"]], leg["counter_account"])
        for leg in legs
    ]


OPERATION_TYPES: Mapping[str, OperationType] = {
    "deposit": _movement(+1, "external:deposits"),
    "withdraw": _movement(-1, "external:withdrawals"),
    "consume": _movement(-1, "revenue:usage"),
    "reward": _movement(+1, "promotions"),
    "fee": _movement(-1, "revenue:fees"),
    "transfer": OperationType("wallet_id", "amount to_wallet_id", DETAILS, _transfer),
    "refund": OperationType("original_transaction_id", "", f"{DETAILS} amount", _refund),
}


def post(
    ledger: Ledger,
    operations: Sequence[Operation | Refusal],
    *,
    atomic: bool = False,
    dry_run: bool = False,
    attempt: int = 1,
) -> list[Outcome]:
    """Post operations in order: each sees the changes of those before it.

    A Refusal is an operation of a batch that could not be read. ``atomic``: the first refusal is raised, and nothing
    is posted. ``dry_run``: the outcomes are the same, and nothing is kept. ``attempt``: its number in the client's call;
    an earlier one is never late here.
    """
    facts = {"supersedes_earlier_attempts": True} if attempt > 1 and not dry_run else {}
    postings, refunded, keys = ledger.postings, ledger.refunded, ledger.keys
    if atomic or dry_run:
        ledger.postings, ledger.refunded, ledger.keys = dict(postings), dict(refunded), dict(keys)
    outcomes = [_outcome(ledger, operation, facts, dry_run=dry_run) for operation in operations]
    refused = {index: outcome for index, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)}
    if dry_run or (atomic and refused):
        for transaction_id in ledger.postings.keys() - postings.keys():
            for leg in ledger.postings[transaction_id]:
                ledger.wallets[leg["wallet_id"]].rows.pop()
        ledger.postings, ledger.refunded, ledger.keys = postings, refunded, keys
    if not (atomic and refused):
        return outcomes
    # All operations are read before the first one is posted.
    failed = next((index for index in refused if outcomes[index] is operations[index]), min(refused))
    unread = outcomes[failed] is operations[failed]
    first, aborted = refused[failed], Refusal("batch_aborted", index=failed, **({} if unread else facts))
    results = [(first if index == failed else aborted).result() for index in range(len(operations))]
    raise Refusal(first.code, **first.facts, index=failed, results=results)


def _outcome(
    ledger: Ledger, operation: Operation | Refusal, facts: Mapping[str, Any], *, dry_run: bool
) -> Outcome:
    if isinstance(operation, Refusal):
        return operation
    asked = dumps({"type": operation.type, **operation.members})
    try:
        _check_moment(ledger, operation.members)
        same = partial(_asks_for, ledger, operation)
        known: list[Document] | None = ledger.result_of(operation.key, asked, same)
        legs = known or _post(ledger, operation)
    except Refusal as refusal:
        return Refusal(refusal.code, **refusal.facts, **facts)
    if operation.key is not None:
        ledger.keys[operation.key] = (asked, legs)
    return transaction(legs, dry_run=dry_run), known is not None and not dry_run


def _asks_for(ledger: Ledger, operation: Operation, legs: Any) -> bool:
    """Whether the operation asks for this posting: a member with its default value is as if it were left out."""
    if not isinstance(legs, list):  # the key of a wallet
        return False
    rule = OPERATION_TYPES[operation.type]
    first, *_ = posting = cast("list[Document]", legs)
    posted: Document = {
        **first,
        "amount": trimmed(first["amount"]),
        "to_wallet_id": posting[-1]["wallet_id"],
    }
    asked: Document = {
        **dict.fromkeys(f"{rule.subject} {rule.required} {rule.optional}".split()),
        "metadata": {},
        "effective_at": first["created_at"],
        **({"counter_account": rule.counter_account} if rule.counter_account else {}),
        **({"amount": _left_before(ledger, first)} if operation.type == "refund" else {}),
        **operation.members,
    }
    same_type = operation.type == first["transaction_type"]
    return same_type and dumps(asked) == dumps({name: posted[name] for name in asked})


def _left_before(ledger: Ledger, refund: Document) -> str | None:
    """How much was left to refund before this refund."""
    legs = ledger.postings.get(refund["original_transaction_id"])
    if legs is None:
        return None
    currency = refund["currency"]
    earlier = [
        units_of(each[0]["amount"], currency)
        for each in ledger.postings.values()
        if each[0]["original_transaction_id"] == refund["original_transaction_id"]
        and each[0]["wallet_version"] < refund["wallet_version"]
    ]
    return trimmed(text_of(units_of(legs[0]["amount"], currency) - sum(earlier), currency))


def _check_moment(ledger: Ledger, members: Document) -> None:
    """Refuse a moment that is more than a day ahead."""
    if members.get("effective_at", "") > ledger.now(LONGEST_AHEAD):
        raise invalid("body", {"effective_at": "not_acceptable"})


def transaction(legs: list[Document], *, dry_run: bool = False) -> Document:
    """A posting as the service returns it: its first leg, and in ``legs`` both of a transfer."""
    return {**legs[0], "legs": legs if len(legs) > 1 else None, "dry_run": dry_run}


def _post(ledger: Ledger, operation: Operation) -> list[Document]:
    members = operation.members
    moves = OPERATION_TYPES[operation.type].moves_of(ledger, members)
    for move in moves:
        _check(move)
    moment = max(ledger.now(), *(wallet.last_posted_at for wallet, _, _ in moves))
    original_id = members.get("original_transaction_id")
    shared: Document = {
        "transaction_id": new_key(),
        "transaction_type": operation.type,
        "original_transaction_id": original_id,
        "client_id": ledger.client_id,
        "reference": members.get("reference"),
        "description": members.get("description"),
        "metadata": members.get("metadata", {}),
        "effective_at": members.get("effective_at", moment),
        "created_at": moment,
    }
    legs: list[Document] = [
        {
            **shared,
            "leg": number,
            "wallet_id": wallet.wallet_id,
            "user_id": wallet.user_id,
            "currency": wallet.currency,
            "direction": "credit" if signed > 0 else "debit",
            "amount": text_of(abs(signed), wallet.currency),
            "balance_before": text_of(wallet.balance, wallet.currency),
            "balance_after": text_of(wallet.balance + signed, wallet.currency),
            "wallet_version": len(wallet.rows) + 1,
            "counter_account": counter_account,
        }
        for number, (wallet, signed, counter_account) in enumerate(moves)
    ]
    for move, leg in zip(moves, legs, strict=True):
        move.wallet.rows.append(leg)
    if original_id is not None:
        ledger.refunded[original_id] = ledger.refunded.get(original_id, 0) + abs(moves[0].signed)
    ledger.postings[shared["transaction_id"]] = legs
    return legs


def _check(move: Move) -> None:
    """Refuse what the wallet's state or balance does not allow."""
    wallet, signed, _ = move
    missing = -signed - wallet.balance - units_of(wallet.credit_limit, wallet.currency)
    if wallet.status == "closed":
        raise Refusal("wallet_closed", wallet_id=wallet.wallet_id)
    if wallet.status == "frozen" and signed < 0:
        raise Refusal("wallet_frozen", wallet_id=wallet.wallet_id)
    if signed < 0 and missing > 0:
        shortfall = text_of(missing, wallet.currency)
        raise Refusal(
            "insufficient_funds", wallet_id=wallet.wallet_id, shortfall=shortfall, currency=wallet.currency
        )
    if signed > 0 and wallet.balance + signed >= 10 ** (MAX_WHOLE_DIGITS + EXPONENTS[wallet.currency]):
        raise Refusal("balance_limit", wallet_id=wallet.wallet_id)
