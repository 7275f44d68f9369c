"""Operations, which the ledger posts, and the units in which callers send them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from wallet_service.core.identifiers import new_id
from wallet_service.ledger.operation_types import Direction, TransactionType

Lockable: TypeAlias = str | tuple[str, str]
"""What another session can lock: a wallet by its id, or an idempotency key by its client and name."""


class Owner(NamedTuple):
    """Names a wallet without its id: the user's primary one in the currency, or else the oldest one that is open."""

    user_id: str
    currency: str


class EntryOf(NamedTuple):
    """An entry of an operation that names its entries.

    Attributes:
        wallet_id: the wallet.
        direction: ``credit`` adds to the wallet, ``debit`` takes from it.
        amount: a positive decimal number in the currency of the wallet.
        counter_account: the other side: an account, or ``wallet:<id>`` of another entry; None: the default of the type.
    """

    wallet_id: str
    direction: Direction
    amount: str
    counter_account: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One movement of money. It has its transaction id before the first attempt, so that it can be sent again.

    Attributes:
        type: its operation type.
        client_id: the owner of its idempotency key.
        acting_user_id: if set, the operation may only debit wallets of this user.
        idempotency_key: the caller's; without one the transaction id is the key.
        wallet_id: the wallet that it debits or credits; None for a refund, and where an owner is given.
        to_wallet_id: the wallet that a transfer credits.
        original_transaction_id: the transaction that a refund reverses.
        owner: in place of a wallet_id: the wallet from which this user spends in this currency.
        amount: a decimal number in the currency of the wallet; None: all that is left to refund, or that is missing from
            ``balance``.
        direction: of an adjustment by an amount.
        balance: the balance that an adjustment leaves, in place of amount and direction.
        entries: of an operation that names them; then no other member has a wallet, an amount or a counter account.
        counter_account: the other side; None: the default of the type.
        terms: of a type that a room decides: what the room reads. Of a movement or transfer: the members that rooms
            add to it (``PostingMembers``), by name.
        caller: of such a type: who wants it, for the audit trail (``current_caller().document()``).
        details: what is stored with the posting: description, reference, metadata, effective_at.
        transaction_id: a UUIDv7; in the ledger it names the posting.
    """

    type: TransactionType
    client_id: str
    acting_user_id: str | None = None
    idempotency_key: str | None = None
    wallet_id: str | None = None
    to_wallet_id: str | None = None
    original_transaction_id: str | None = None
    owner: Owner | None = None
    amount: str | None = None
    direction: Direction | None = None
    balance: str | None = None
    entries: tuple[EntryOf, ...] = ()
    counter_account: str | None = None
    terms: Mapping[str, Any] | None = None
    caller: Mapping[str, Any] | None = None
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    transaction_id: str = field(default_factory=new_id)

    def place(self) -> str:
        """Decides its lane: the wallet, the transaction that it refunds, or the owner.

        Operations that name the same wallet in different ways can be in different lanes: then one of them finds the
        wallet locked, and waits for it.
        """
        if self.owner is not None:
            return self.owner.user_id
        first = self.entries[0].wallet_id if self.entries else self.wallet_id
        return first or self.original_transaction_id or self.transaction_id

    def key(self) -> tuple[str, str]:
        """The idempotency key that it spends: the client, and the name."""
        return self.client_id, self.idempotency_key or self.transaction_id

    def lockables(self) -> Iterator[Lockable]:
        """Its key, and the wallets that it names by their ids."""
        yield self.key()
        if self.wallet_id is not None:
            yield self.wallet_id
        if self.to_wallet_id is not None:
            yield self.to_wallet_id
        for entry in self.entries:
            yield entry.wallet_id

    def document(self) -> dict[str, Any]:
        """The operation as ``wallet_api.post_transactions`` reads it, without the members that are None."""
        document: dict[str, Any] = {
            "transaction_id": self.transaction_id,
            "type": self.type,
            "client_id": self.client_id,
            **self.details,
        }
        if self.amount is not None:
            document["amount"] = self.amount
        if self.terms is not None or self.type not in _SIMPLE:
            document |= self._entries()
        if self.counter_account is not None:
            document["counter_account"] = self.counter_account
        if self.to_wallet_id is not None:
            document["to_wallet_id"] = self.to_wallet_id
        if self.wallet_id is not None:
            document["wallet_id"] = self.wallet_id
        if self.original_transaction_id is not None:
            document["original_transaction_id"] = self.original_transaction_id
        if self.owner is not None:
            document["user_id"], document["currency"] = self.owner
        if self.acting_user_id is not None:
            document["acting_user_id"] = self.acting_user_id
        if self.idempotency_key is not None:
            document["idempotency_key"] = self.idempotency_key
        return document

    def _entries(self) -> dict[str, Any]:
        """The members of an adjustment, of an operation of several entries, and of one that rooms read."""
        named = {
            "balance": self.balance,
            "direction": self.direction,
            "terms": self.terms,
            "caller": self.caller,
        }
        found: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        if self.entries:
            found["entries"] = [entry._asdict() for entry in self.entries]
        return found


_SIMPLE = frozenset({"deposit", "withdraw", "consume", "reward", "fee", "transfer", "refund"})
"""Types without the members of ``Operation._entries``, unless rooms add some: most operations."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The operations of one request.

    Attributes:
        operations: in order; each sees what the operations before it changed. Where another session has locked a
            wallet, the operations on it are decided later than the others, unless the unit is atomic or a dry run.
        atomic: all operations are posted, or none.
        dry_run: the outcomes are those of a posted unit; nothing is kept, and no key is spent.
        attempt: of the caller, from 1. If a later attempt is refused, no earlier one can post its operations.
        sent_before: how often its operations may have been sent in this attempt, by an earlier unit.
    """

    operations: tuple[Operation, ...]
    atomic: bool = False
    dry_run: bool = False
    attempt: int = 1
    sent_before: int = 0

    def document(self, *, resent: bool, sending: int = 1) -> dict[str, Any]:
        """The unit as the SQL function reads it.

        Args:
            resent: an earlier sending of this unit may have posted it.
            sending: how often it is sent with this one.
        """
        document: dict[str, Any] = {
            "operations": [operation.document() for operation in self.operations],
            "atomic": self.atomic,
            "dry_run": self.dry_run,
            "resent": resent,
        }
        # Nearly every unit is sent once, in a first attempt: then the function's defaults are right.
        if resent or self.sent_before or self.attempt > 1:
            document |= {"resent": True, "attempt": self.attempt, "sending": self.sent_before + sending}
        return document
