"""What a key is restricted to, beside its permissions."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from wallet_service.core.errors import Forbidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """The restrictions of a key. All that are given apply.

    Attributes:
        wallet_ids: the only wallets that it sees and moves; empty: any.
        user_id: the only user whose wallets it sees and moves.
        organization_id: the only organization whose wallets it sees and moves.
        counter_accounts: the only other sides of its entries; empty: any. A name that ends in ``*`` stands for all that
            begin like it.
        max_amount: the most that one of its operations moves, in units of each currency.
    """

    wallet_ids: frozenset[str] = frozenset()
    user_id: str | None = None
    organization_id: str | None = None
    counter_accounts: tuple[str, ...] = ()
    max_amount: Decimal | None = None

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> "Restriction | None":
        """The restriction in a row of the database; None for a key without restrictions."""
        found = cls(
            wallet_ids=frozenset(row["wallet_ids"] or ()),
            user_id=row["user_id"],
            organization_id=row["organization_id"],
            counter_accounts=tuple(row["counter_accounts"] or ()),
            max_amount=Decimal(row["max_amount"]) if row["max_amount"] is not None else None,
        )
        return found or None

    def document(self) -> dict[str, Any]:
        """The members as the database functions read them, without those that restrict nothing."""
        members: dict[str, Any] = {
            "wallet_ids": sorted(self.wallet_ids) or None,
            "user_id": self.user_id,
            "organization_id": self.organization_id,
            "counter_accounts": list(self.counter_accounts) or None,
            "max_amount": f"{self.max_amount:f}" if self.max_amount is not None else None,
        }
        return {name: value for name, value in members.items() if value is not None}

    def __bool__(self) -> bool:
        """Whether it restricts anything."""
        return self != Restriction()

    @property
    def is_of_wallets(self) -> bool:
        """Whether there are wallets that the key neither sees nor moves."""
        return bool(self.wallet_ids) or self.user_id is not None or self.organization_id is not None

    @property
    def is_of_whole_users(self) -> bool:
        """Whether the key covers all wallets of a user of which it covers one."""
        return not self.wallet_ids and self.organization_id is None

    def covers(self, wallet_id: str, user_id: str, organization_id: str | None) -> bool:
        """Whether the key sees and moves this wallet."""
        return (
            (not self.wallet_ids or wallet_id in self.wallet_ids)
            and self.user_id in (None, user_id)
            and self.organization_id in (None, organization_id)
        )

    def require_new_wallet(self, user_id: str, organization_id: str | None) -> None:
        """Refuse to create a wallet that the key does not cover.

        Raises:
            Forbidden: with the restriction as a fact.
        """
        if self.wallet_ids:
            raise Forbidden("The key is restricted to some wallets and can't create others")
        if self.user_id not in (None, user_id):
            raise Forbidden("The key is restricted to another user", user_id=self.user_id)
        if self.organization_id not in (None, organization_id):
            raise Forbidden(
                "The key is restricted to another organization", organization_id=self.organization_id
            )

    def require_counter_account(self, name: str) -> None:
        """Refuse another side of an entry that the key does not name.

        Raises:
            Forbidden: with both as facts.
        """
        if not self.counter_accounts:
            return
        for allowed in self.counter_accounts:
            if name == allowed or (allowed.endswith("*") and name.startswith(allowed[:-1])):
                return
        raise Forbidden(
            "The key is restricted to other counter accounts",
            counter_account=name,
            allowed=list(self.counter_accounts),
        )

    def require_amount(self, amount: Decimal) -> None:
        """Refuse an amount above the most that the key moves in an operation.

        Raises:
            Forbidden: with both as facts.
        """
        if self.max_amount is not None and amount > self.max_amount:
            raise Forbidden(
                f"The key moves at most {self.max_amount:f} in an operation",
                amount=f"{amount:f}",
                max_amount=f"{self.max_amount:f}",
            )
