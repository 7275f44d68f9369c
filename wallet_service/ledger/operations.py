"""What is asked of the ledger: operations, and the units that stand or fall together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wallet_service.identifiers import new_id
from wallet_service.ledger.shapes import TransactionType


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
        operations: in order; each sees what those before it changed.
        atomic: all or nothing.
        dry_run: answered as if posted, nothing kept, no key spent.
    """

    operations: tuple[Operation, ...]
    atomic: bool = False
    dry_run: bool = False

    def wallet_ids(self) -> Iterator[str]:
        """The wallets that its operations name, in order; a refund names none."""
        for operation in self.operations:
            for name in ("wallet_id", "to_wallet_id"):
                if name in operation.members:
                    yield operation.members[name]

    def document(self, *, resent: bool) -> dict[str, Any]:
        """The unit as the SQL function reads it; ``resent``: an earlier attempt may have happened."""
        return {
            "operations": [operation.document() for operation in self.operations],
            "atomic": self.atomic,
            "dry_run": self.dry_run,
            "resent": resent,
        }
