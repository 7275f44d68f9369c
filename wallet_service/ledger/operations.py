"""What is asked of the ledger: operations, and the units that stand or fall together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wallet_service.core.identifiers import new_id
from wallet_service.ledger.operation_types import TransactionType


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One movement of money, named before its first attempt so that it can be sent again.

    Attributes:
        type: what kind of posting.
        client_id: whose idempotency keys these are.
        acting_user_id: set: may only debit wallets of this user.
        idempotency_key: the caller's; without one the transaction_id is the key.
        members: the rest as ``wallet_api.post_transactions`` reads it: wallet_id, amount, reference …
    """

    type: TransactionType
    client_id: str
    acting_user_id: str | None = None
    idempotency_key: str | None = None
    members: Mapping[str, Any]
    transaction_id: str = field(default_factory=new_id)

    def place(self) -> str:
        """What its lane is chosen by: the wallet, or the posting that it refunds."""
        return self.members.get("wallet_id") or self.members["original_transaction_id"]

    def key(self) -> tuple[str, str]:
        """Whose idempotency key it spends, and which."""
        return self.client_id, self.idempotency_key or self.transaction_id

    def needs(self) -> Iterator[str | tuple[str, str]]:
        """What others can hold: its key, and the wallets that it names; a refund names none."""
        yield self.key()
        for name in ("wallet_id", "to_wallet_id"):
            if name in self.members:
                yield self.members[name]

    def document(self) -> dict[str, Any]:
        """The operation as the SQL function reads it."""
        document: dict[str, Any] = {
            "transaction_id": self.transaction_id,
            "type": self.type,
            "client_id": self.client_id,
            **self.members,
        }
        if self.acting_user_id is not None:
            document["acting_user_id"] = self.acting_user_id
        if self.idempotency_key is not None:
            document["idempotency_key"] = self.idempotency_key
        return document


@dataclass(frozen=True, slots=True)
class Unit:
    """Operations that are decided together.

    Attributes:
        operations: in order; each sees what those before it changed. Where somebody else holds a wallet, those
            who want it are decided later than the rest, unless the unit is atomic or a dry run.
        atomic: all or nothing.
        dry_run: answered as if posted, nothing kept, no key spent.
    """

    operations: tuple[Operation, ...]
    atomic: bool = False
    dry_run: bool = False

    def needs(self) -> Iterator[str | tuple[str, str]]:
        """What others can hold of what its operations need."""
        for operation in self.operations:
            yield from operation.needs()

    def document(self, *, resent: bool) -> dict[str, Any]:
        """The unit as the SQL function reads it; ``resent``: an earlier attempt may have happened."""
        return {
            "operations": [operation.document() for operation in self.operations],
            "atomic": self.atomic,
            "dry_run": self.dry_run,
            "resent": resent,
        }
