"""A model of the ledger in plain Python without a database: the oracle for the kernel and for the API."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

MINTING = frozenset({"deposit", "reward", "refund"})
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
        if operation.get("acting_user_id") is not None and operation["type"] in MINTING:
            raise _Refused("forbidden")
        amount = _amount(operation)
        if name in self.superseded and self.superseded[name] >= place:
            raise _Refused("transaction_superseded")
        key = (operation["client_id"], operation.get("idempotency_key", name))
        request = {member: value for member, value in operation.items() if member not in NAMES_OF_AN_ATTEMPT}
        request["amount"] = amount
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
        if original.kind == "refund":
            raise _Refused("not_refundable")
        rest = original.amount - original.refunded
        amount = rest if amount is None else amount
        if amount <= 0 or amount > rest:
            raise _Refused("refund_exceeds")
        back = [(leg.wallet_id, amount if leg.signed < 0 else -amount) for leg in original.legs]
        legs = self._write(operation, amount, back)
        self.postings[operation["transaction_id"]].is_rest = amount == rest
        original.refunded += amount
        return legs

    def _move(self, operation: Operation, amount: Decimal | None) -> tuple[Leg, ...]:
        assert amount is not None
        wallet_id, kind = operation["wallet_id"], operation["type"]
        source = self.accounts.get(wallet_id)
        if source is None or operation.get("acting_user_id") not in (None, source.user_id):
            raise _Refused("wallet_not_found")
        moves = [(wallet_id, amount if kind in CREDITS else -amount)]
        if kind == "transfer":
            target = self.accounts.get(operation["to_wallet_id"])
            if operation["to_wallet_id"] == wallet_id:
                raise _Refused("same_wallet")
            if target is None:
                raise _Refused("wallet_not_found")
            if target.currency != source.currency:
                raise _Refused("currency_mismatch")
            moves.append((operation["to_wallet_id"], amount))
        return self._write(operation, amount, moves)

    def _write(
        self, operation: Operation, amount: Decimal, moves: list[tuple[str, Decimal]]
    ) -> tuple[Leg, ...]:
        exponent = self.accounts[moves[0][0]].exponent
        if amount != round(amount, exponent):
            raise _Refused("amount_precision")
        for wallet_id, signed in moves:
            _admit(self.accounts[wallet_id], signed)
        legs: list[Leg] = []
        for wallet_id, signed in moves:
            account = self.accounts[wallet_id]
            account.balance += signed
            account.version += 1
            legs.append(Leg(wallet_id, signed, account.balance, account.version))
        self.postings[operation["transaction_id"]] = _Posting(operation["type"], amount, tuple(legs))
        return tuple(legs)


def _amount(operation: Operation) -> Decimal | None:
    text = operation.get("amount")
    if text is None and operation["type"] == "refund":
        return None
    try:
        amount = Decimal(str(text))
    except InvalidOperation:
        raise _Refused("amount_invalid") from None
    if not amount.is_finite() or not 0 < amount < LIMIT:
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
    elif account.balance - account.locked + account.credit_limit + signed < 0:
        raise _Refused("insufficient_funds")
