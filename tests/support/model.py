"""A model of the ledger in plain Python without a database: the oracle for the kernel and for the API."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

USERS_OPERATING = frozenset({"withdraw", "consume", "fee", "transfer"})
"""What a user may post in operating wallets of its own."""
USERS_MIRRORED = frozenset({"deposit", "withdraw", "transfer", "refund", "adjustment"})
MIRRORED = USERS_MIRRORED | {"exchange", "payment"}
NOT_REFUNDABLE = frozenset({"refund", "adjustment", "exchange"})
CREDITS = frozenset({"deposit", "reward"})
LIMIT = Decimal(10) ** 20
NAMES_OF_AN_ATTEMPT = frozenset(
    {"transaction_id", "client_id", "idempotency_key", "acting_user_id", "amount"}
)

Operation: TypeAlias = Mapping[str, Any]


@dataclass
class Account:
    """A wallet as the oracle sees it."""

    user_id: str
    currency: str
    exponent: int
    balance: Decimal = Decimal(0)
    locked: Decimal = Decimal(0)
    credit_limit: Decimal = Decimal(0)
    status: str = "active"
    version: int = 0
    keeping: str = "operating"


@dataclass(frozen=True)
class Move:
    """An entry that an operation wants; of an adjustment to a balance, the signed amount is None."""

    wallet_id: str
    signed: Decimal | None
    counter_account: str | None = None


@dataclass(frozen=True)
class Leg:
    wallet_id: str
    signed: Decimal
    balance_after: Decimal
    version: int


@dataclass(frozen=True)
class Decision:
    """The outcome of an operation: ``posted``, ``replayed``, ``dry_run`` or the code of a refusal; and its entries."""

    status: str
    legs: tuple[Leg, ...] = ()


@dataclass
class _Posting:
    kind: str
    amount: Decimal
    legs: tuple[Leg, ...]
    is_whole: bool = False
    refunded: Decimal = Decimal(0)
    is_rest: bool = False
    """It refunded all that was left."""


class _Refused(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Model:
    """Wallets, postings and keys. Units are decided one by one, in their order."""

    accounts: dict[str, Account] = field(default_factory=dict)
    postings: dict[str, _Posting] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[str, Any, bool]] = field(default_factory=dict)
    superseded: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Operations that were refused, by transaction id: in which attempt and sending."""

    def post(
        self,
        operations: Sequence[Operation],
        *,
        atomic: bool = False,
        dry_run: bool = False,
        resent: bool = False,
        attempt: int = 1,
        sending: int | None = None,
    ) -> list[Decision]:
        """Decide a unit and keep what it posts."""
        place = attempt, sending or (2 if resent else 1)
        saved = deepcopy((self.accounts, self.postings, self.keys, self.superseded))
        decisions: list[Decision] = []
        failed = None
        for position, operation in enumerate(operations):
            if failed is None:
                decisions.append(self._decide(operation, place, dry_run=dry_run))
                if atomic and decisions[-1].status not in ("posted", "replayed"):
                    failed = position
            else:
                decisions.append(Decision("batch_aborted"))
        if failed is not None:
            decisions = [
                found if number == failed else Decision("batch_aborted")
                for number, found in enumerate(decisions)
            ]
        if failed is not None or dry_run:
            self.accounts, self.postings, self.keys, self.superseded = saved
        if dry_run:
            return [
                Decision("dry_run", found.legs) if found.status in ("posted", "replayed") else found
                for found in decisions
            ]
        if resent:
            self._supersede(operations, decisions, place)
        return decisions

    def _supersede(
        self, operations: Sequence[Operation], decisions: Sequence[Decision], place: tuple[int, int]
    ) -> None:
        for operation, found in zip(operations, decisions, strict=True):
            name = operation["transaction_id"]
            if name in self.postings:
                self.superseded.pop(name, None)
            elif found.status not in ("posted", "replayed"):
                self.superseded[name] = max(place, self.superseded.get(name, place))

    def _decide(self, operation: Operation, place: tuple[int, int], *, dry_run: bool) -> Decision:
        try:
            return self._decided(operation, place, dry_run=dry_run)
        except _Refused as refused:
            return Decision(refused.code)

    def _decided(self, operation: Operation, place: tuple[int, int], *, dry_run: bool) -> Decision:
        name = operation["transaction_id"]
        if (
            operation.get("acting_user_id") is not None
            and operation["type"] not in USERS_OPERATING | USERS_MIRRORED
        ):
            raise _Refused("forbidden")
        amount = _amount(operation)
        if name in self.superseded and self.superseded[name] >= place:
            raise _Refused("transaction_superseded")
        key = (operation["client_id"], operation.get("idempotency_key", name))
        request = {member: value for member, value in operation.items() if member not in NAMES_OF_AN_ATTEMPT}
        request["amount"] = amount
        if "balance" in request:
            request["balance"] = Decimal(request["balance"])  # equal amounts are the same request
        if "entries" in request:
            request["entries"] = [_entry(each) for each in request["entries"]]
        if key in self.keys:
            return self._recall(name, key, request, repeats=place[0] > 1 and place[1] == 1)
        if name in self.postings:
            raise _Refused("idempotency_key_reused")
        legs = (
            self._refund(operation, amount)
            if operation["type"] == "refund"
            else self._move(operation, amount)
        )
        self.keys[key] = (name, request, dry_run)
        return Decision("posted", legs)

    def _recall(self, name: str, key: tuple[str, str], request: Any, *, repeats: bool) -> Decision:
        owner, first_request, in_dry_run = self.keys[key]
        if first_request != request and not self._is_same_refund(owner, first_request, request):
            raise _Refused("idempotency_key_reused")
        own = (owner == name and not repeats) or in_dry_run
        return Decision("posted" if own else "replayed", self.postings[owner].legs)

    def _is_same_refund(self, owner: str, first: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
        """Requests for the same refund, of which one gives the amount and the other leaves it out."""
        posted = self.postings.get(owner)
        if posted is None:  # the key is spent on the creation of a wallet
            return False
        amount = request["amount"]
        is_same = posted.is_rest if amount is None else amount == posted.amount
        return (
            request["type"] == "refund"
            and is_same
            and {**first, "amount": None} == {**request, "amount": None}
        )

    def _refund(self, operation: Operation, amount: Decimal | None) -> tuple[Leg, ...]:
        original = self.postings.get(operation["original_transaction_id"])
        if original is None:
            raise _Refused("transaction_not_found")
        if operation.get("acting_user_id") not in (None, self.accounts[original.legs[0].wallet_id].user_id):
            raise _Refused("transaction_not_found")
        if original.kind in NOT_REFUNDABLE:
            raise _Refused("not_refundable")
        rest = original.amount - original.refunded
        amount = rest if amount is None else amount
        if amount <= 0 or amount > rest or (original.is_whole and amount != original.amount):
            raise _Refused("refund_exceeds")
        back = [
            Move(leg.wallet_id, -leg.signed if original.is_whole else amount if leg.signed < 0 else -amount)
            for leg in original.legs
        ]
        legs = self._write(operation, back)
        self.postings[operation["transaction_id"]].is_rest = amount == rest
        original.refunded += amount
        return legs

    def _move(self, operation: Operation, amount: Decimal | None) -> tuple[Leg, ...]:
        wallet_id, kind = operation.get("wallet_id", ""), operation["type"]
        if "balance" in operation:
            return self._write(operation, [Move(wallet_id, None)])
        if "entries" in operation:
            return self._write(operation, [_entry(each) for each in operation["entries"]])
        assert amount is not None
        is_credit = kind in CREDITS or operation.get("direction") == "credit"
        moves = [Move(wallet_id, amount if is_credit else -amount)]
        if kind == "transfer":
            moves.append(Move(operation["to_wallet_id"], amount))
        return self._write(operation, moves)

    def _admit_accounts(self, operation: Operation, moves: Sequence[Move]) -> None:
        kind, acting = operation["type"], operation.get("acting_user_id")
        for place, move in enumerate(moves):
            account = self.accounts.get(move.wallet_id)
            is_mirrored = account is not None and account.keeping == "mirrored"
            if acting is not None:
                is_own_record = is_mirrored and account is not None and account.user_id == acting
                of_record = kind in USERS_MIRRORED or kind not in MIRRORED
                if not (of_record if is_own_record else kind in USERS_OPERATING):
                    raise _Refused("forbidden")
            if account is None or (
                acting not in (None, account.user_id) and (place == 0 or kind != "transfer" or is_mirrored)
            ):
                raise _Refused("wallet_not_found")
            if place == 0 and operation.get("to_wallet_id") == move.wallet_id:
                raise _Refused("same_wallet")
            first = self.accounts[moves[0].wallet_id]
            if kind == "transfer" and account.currency != first.currency:
                raise _Refused("currency_mismatch")
            if (is_mirrored and kind not in MIRRORED) or account.keeping != first.keeping:
                raise _Refused("wallet_mirrored")

    def _write(self, operation: Operation, moves: Sequence[Move]) -> tuple[Leg, ...]:
        self._admit_accounts(operation, moves)
        to_balance = Decimal(operation.get("balance", "0"))
        for move in moves:
            wanted = to_balance if move.signed is None else move.signed
            if wanted != round(wanted, self.accounts[move.wallet_id].exponent):
                raise _Refused("amount_precision")
        if "entries" in operation:
            self._admit_pairs(moves)
        after = deepcopy({move.wallet_id: self.accounts[move.wallet_id] for move in moves})
        legs: list[Leg] = []
        for place, move in enumerate(moves):
            account = after[move.wallet_id]
            signed = to_balance - account.balance if move.signed is None else move.signed
            if signed == 0:
                raise _Refused("balance_unchanged")
            later = Decimal(0)  # what a refund gives back or takes after this entry counts, too
            if operation["type"] == "refund":
                later = sum(
                    (each.signed or later for each in moves[place + 1 :] if each.wallet_id == move.wallet_id),
                    later,
                )
            _admit(replace(account, balance=account.balance + later), signed)
            account.balance += signed
            account.version += 1
            legs.append(Leg(move.wallet_id, signed, account.balance, account.version))
        self.accounts.update(after)
        between_two = len(legs) == 2 and moves[0].counter_account == f"wallet:{moves[1].wallet_id}"
        is_whole = len(legs) > 1 and "entries" in operation and not between_two
        self.postings[operation["transaction_id"]] = _Posting(
            operation["type"], abs(legs[0].signed), tuple(legs), is_whole
        )
        return tuple(legs)

    def _admit_pairs(self, moves: Sequence[Move]) -> None:
        for move in moves:
            other = (move.counter_account or "").partition("wallet:")[2]
            if not other:
                continue
            if other == move.wallet_id:
                raise _Refused("same_wallet")
            pair = [
                each
                for each in moves
                if (each.wallet_id, each.counter_account)
                in ((move.wallet_id, f"wallet:{other}"), (other, f"wallet:{move.wallet_id}"))
            ]
            currencies = {self.accounts[each.wallet_id].currency for each in pair}
            if sum(each.signed or 0 for each in pair) != 0 or len(currencies) > 1:
                raise _Refused("entries_unbalanced")


def _entry(entry: Mapping[str, Any]) -> Move:
    amount = _amount({"type": "", "amount": entry["amount"]})
    assert amount is not None
    return Move(
        entry["wallet_id"],
        amount if entry["direction"] == "credit" else -amount,
        entry.get("counter_account"),
    )


def _amount(operation: Operation) -> Decimal | None:
    text = operation.get("amount")
    if "balance" in operation:
        balance = str(operation["balance"])
        _number(balance.removeprefix("-"), zero=not balance.startswith("-"))
        return None
    if "entries" in operation:
        for entry in operation["entries"]:
            _number(entry["amount"], zero=False)
        return None
    if text is None and operation["type"] == "refund":
        return None
    return _number(text, zero=False)


def _number(text: Any, *, zero: bool) -> Decimal:
    try:
        amount = Decimal(str(text))
    except InvalidOperation:
        raise _Refused("amount_invalid") from None
    if not amount.is_finite() or not (0 < amount < LIMIT or (zero and amount == 0)):
        raise _Refused("amount_invalid")
    return amount


def _admit(account: Account, signed: Decimal) -> None:
    if account.status == "closed":
        raise _Refused("wallet_closed")
    if signed > 0:
        if account.balance + signed >= LIMIT:
            raise _Refused("balance_limit")
    elif account.status == "frozen":
        raise _Refused("wallet_frozen")
    elif account.keeping == "mirrored":
        if account.balance + signed <= -LIMIT:
            raise _Refused("balance_limit")
    elif account.balance - account.locked + account.credit_limit + signed < 0:
        raise _Refused("insufficient_funds")
