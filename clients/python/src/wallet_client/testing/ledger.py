"""The rules of money: operations are decided one by one, each sees what those before it changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from wallet_client.testing.callers import Caller
from wallet_client.testing.currencies import CURRENCIES
from wallet_client.testing.problems import Refusal
from wallet_client.testing.store import Row, Spent, Store, Wallet, request_text
from wallet_client.testing.values import MOST_UNITS_DIGITS, in_order, text_of, units_of

CREDITS = frozenset({"deposit", "reward"})

COUNTER_ACCOUNTS: Mapping[str, str] = {
    "deposit": "external:deposits",
    "withdraw": "external:withdrawals",
    "consume": "revenue:usage",
    "reward": "promotions",
    "fee": "revenue:fees",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One movement of money.

    Attributes:
        type: what kind of posting.
        key: its idempotency key, if it has one.
        members: wallet_id or original_transaction_id, amount as text, reference …, without what was left out.
    """

    caller: Caller
    type: str
    key: str | None
    members: Mapping[str, Any]

    def request(self) -> str:
        """What it asks, without what differs between two attempts."""
        return request_text({"type": self.type, **self.members}, "amount")


@dataclass(frozen=True, slots=True)
class Posted:
    """The operation is in the ledger, or would be."""

    rows: tuple[Row, ...]
    replayed: bool
    dry_run: bool = False


Outcome: TypeAlias = Posted | Refusal

_Undo: TypeAlias = list[Callable[[], Any]]


def post(
    store: Store, operations: Sequence[Operation], *, atomic: bool = False, dry_run: bool = False
) -> list[Outcome]:
    """Decide operations in order; what becomes of each."""
    now = store.now()
    undo: _Undo = []
    outcomes: list[Outcome] = []
    for position, operation in enumerate(operations):
        try:
            outcomes.append(_decide(store, operation, now, undo))
        except Refusal as refusal:
            outcomes.append(refusal)
            if atomic:
                _take_back(undo)
                aborted = Refusal("batch_aborted", index=position)
                return [refusal if place == position else aborted for place in range(len(operations))]
    if dry_run:
        _take_back(undo)
        return [
            Posted(each.rows, replayed=False, dry_run=True) if isinstance(each, Posted) else each
            for each in outcomes
        ]
    return outcomes


def create(
    store: Store, caller: Caller, wanted: Mapping[str, Any], initial_balance: str | None, key: str | None
) -> tuple[Mapping[str, Any], bool]:
    """Make a wallet with its opening balance; the wallet as it is first answered, and whether it was made before.

    Raises:
        Refusal: nothing was made, and no key is spent.
    """
    currency = CURRENCIES.get(wanted["currency"])
    if currency is not None:
        units_of(wanted.get("credit_limit", "0"), currency.code, currency.exponent)
    request = request_text({**wanted, "deposit": initial_balance or "0"}, "credit_limit", "deposit")
    spent = store.spent_on(caller.client_id, key)
    if spent is not None:
        if spent.wallet is None or spent.request != request:
            raise Refusal("idempotency_key_reused")
        return spent.wallet, True
    wallet = store.open_wallet(wanted)
    if initial_balance is not None:
        members = {"wallet_id": wallet.wallet_id, "amount": initial_balance}
        (outcome,) = post(store, [Operation(caller, "deposit", None, members)])
        if isinstance(outcome, Refusal):
            del store.wallets[wallet.wallet_id]
            raise outcome
    document = wallet.document()
    if key is not None:
        store.keys[caller.client_id, key] = Spent(request, wallet=document)
    return document, False


def _take_back(undo: _Undo) -> None:
    while undo:
        undo.pop()()


def _decide(store: Store, operation: Operation, now: str, undo: _Undo) -> Posted:
    client_id, key = operation.caller.client_id, operation.key
    spent = store.spent_on(client_id, key)
    if spent is not None:
        if spent.transaction_id is None or spent.request != operation.request():
            raise Refusal("idempotency_key_reused")
        return Posted(store.postings[spent.transaction_id], replayed=True)
    rows = _rows(store, operation, now)
    transaction_id = rows[0].transaction_id
    for row in rows:
        wallet = store.wallets[row.wallet_id]
        wallet.rows.append(row)
        wallet.balance = row.balance_after
        undo.append(partial(_forget, wallet, row))
    store.postings[transaction_id] = rows
    undo.append(partial(store.postings.pop, transaction_id))
    original = rows[0].original_transaction_id
    if original is not None:
        before = store.refunded.get(original, 0)
        store.refunded[original] = before + abs(rows[0].signed)
        undo.append(partial(store.refunded.__setitem__, original, before))
    if key is not None:
        store.keys[client_id, key] = Spent(operation.request(), transaction_id)
        undo.append(partial(store.keys.pop, (client_id, key)))
    return Posted(rows, replayed=False)


def _forget(wallet: Wallet, row: Row) -> None:
    wallet.rows.pop()
    wallet.balance = row.balance_after - row.signed


def _rows(store: Store, operation: Operation, now: str) -> tuple[Row, ...]:
    """The rows that it leaves; changes nothing.

    Raises:
        Refusal: it can't post.
    """
    moves, counter = _refund(store, operation) if operation.type == "refund" else _move(store, operation)
    for wallet, signed in moves:
        _admit(wallet, signed)
    moment = max(now, *(wallet.last_posted_at for wallet, _ in moves))
    transaction_id = store.new_id()
    counters = (counter, f"wallet:{moves[0][0].wallet_id}")
    members = operation.members
    return tuple(
        Row(
            transaction_id=transaction_id,
            leg=leg,
            transaction_type=operation.type,
            wallet_id=wallet.wallet_id,
            user_id=wallet.user_id,
            currency=wallet.currency,
            signed=signed,
            balance_after=wallet.balance + signed,
            wallet_version=len(wallet.rows) + 1,
            counter_account=counters[leg],
            original_transaction_id=members.get("original_transaction_id"),
            client_id=operation.caller.client_id,
            reference=members.get("reference"),
            description=members.get("description"),
            metadata=in_order(members.get("metadata", {})),
            effective_at=members.get("effective_at", moment),
            created_at=moment,
        )
        for leg, (wallet, signed) in enumerate(moves)
    )


def _move(store: Store, operation: Operation) -> tuple[list[tuple[Wallet, int]], str]:
    members = operation.members
    viewer = operation.caller.user_id
    source = store.wallet(members["wallet_id"], viewer)
    if operation.type != "transfer":
        amount = units_of(members["amount"], source.currency.code, source.currency.exponent)
        signed = amount if operation.type in CREDITS else -amount
        return [(source, signed)], members.get("counter_account", COUNTER_ACCOUNTS[operation.type])
    if members["to_wallet_id"] == source.wallet_id:
        raise Refusal("same_wallet", wallet_id=source.wallet_id)
    target = store.wallet(members["to_wallet_id"])
    if target.currency != source.currency:
        theirs = {"to_currency": target.currency.code} if viewer is None else {}
        raise Refusal("currency_mismatch", currency=source.currency.code, **theirs)
    amount = units_of(members["amount"], source.currency.code, source.currency.exponent)
    return [(source, -amount), (target, amount)], f"wallet:{target.wallet_id}"


def _refund(store: Store, operation: Operation) -> tuple[list[tuple[Wallet, int]], str]:
    name = operation.members["original_transaction_id"]
    original = store.postings.get(name)
    if original is None:
        raise Refusal("transaction_not_found", transaction_id=name)
    first = original[0]
    if first.transaction_type == "refund":
        raise Refusal("not_refundable", transaction_id=name)
    left = abs(first.signed) - store.refunded.get(name, 0)
    currency = first.currency
    text = operation.members.get("amount")
    # What is more than is left is refused as that, also where it is finer than the currency.
    finest = max(currency.exponent, len((text or "").partition(".")[2]))
    wanted = left * 10 ** (finest - currency.exponent)
    if text is not None:
        wanted = units_of(text, currency.code, finest)
    if not 0 < wanted <= left * 10 ** (finest - currency.exponent):
        refundable = text_of(left, currency.exponent)
        raise Refusal("refund_exceeds", transaction_id=name, refundable=refundable)
    amount = left if text is None else units_of(text, currency.code, currency.exponent)
    moves = [
        (store.wallets[row.wallet_id], amount if row.direction == "debit" else -amount) for row in original
    ]
    return moves, first.counter_account


def _admit(wallet: Wallet, signed: int) -> None:
    if wallet.status == "closed":
        raise Refusal("wallet_closed", wallet_id=wallet.wallet_id)
    if signed > 0:
        if wallet.balance + signed >= 10 ** (MOST_UNITS_DIGITS + wallet.currency.exponent):
            raise Refusal("balance_limit", wallet_id=wallet.wallet_id)
        return
    if wallet.status == "frozen":
        raise Refusal("wallet_frozen", wallet_id=wallet.wallet_id)
    missing = -signed - wallet.balance - wallet.credit_limit
    if missing > 0:
        raise Refusal("insufficient_funds", wallet_id=wallet.wallet_id, shortfall=wallet.text(missing))
