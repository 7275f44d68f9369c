"""The operations of a batch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from wallet_client._call import Id, Moment, moment
from wallet_client.keys import checked, name_text
from wallet_client.money import Amount, amount_text


@dataclass(frozen=True, slots=True)
class NewPart:
    """A part of an entry: what an amount was for. A single part without an amount is the whole entry.

    Attributes:
        amount: in the wallet's currency, positive of a credit and negative of a debit: Decimal, int or str.
        category_id: what it was for; None: uncategorised income or expense.
        payee_id: who was paid, or paid.
        tag_ids: its tags.
        note: a text about it.
    """

    amount: Amount | None = None
    category_id: Id | None = None
    payee_id: Id | None = None
    tag_ids: Sequence[Id] = ()
    note: str | None = None

    @property
    def members(self) -> dict[str, Any]:
        """The part in JSON.

        Raises:
            TypeError, ValueError: a value can't be sent, such as a float.
        """
        members: dict[str, Any] = {
            "amount": None if self.amount is None else amount_text(self.amount),
            "category_id": None if self.category_id is None else name_text(self.category_id),
            "payee_id": None if self.payee_id is None else name_text(self.payee_id),
            "tag_ids": [name_text(each) for each in self.tag_ids] or None,
            "note": self.note,
        }
        return {name: value for name, value in members.items() if value is not None}


def movement_members(
    amount: Amount | None,
    description: str | None,
    reference: str | None,
    metadata: Mapping[str, Any] | None,
    effective_at: Moment | None,
    counter_account: str | None = None,
    *,
    parts: "Iterable[NewPart] | None" = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """The members of a movement in JSON; None for what was left out.

    Raises:
        TypeError, ValueError: an argument can't be sent, such as a float or a datetime without a time zone.
    """
    return {
        "amount": None if amount is None else amount_text(amount),
        "description": description,
        "reference": reference,
        "metadata": metadata,
        "effective_at": moment(effective_at, "effective_at"),
        "counter_account": counter_account,
        "parts": None if parts is None else [each.members for each in parts],
        "dry_run": dry_run or None,
    }


Direction: TypeAlias = Literal["credit", "debit"]
EntriesType: TypeAlias = Literal["exchange", "payment"]


@dataclass(frozen=True, slots=True)
class NewEntry:
    """One entry of an operation of several: ``NewEntry.debit(wallet_id, "10", "fx:EUR-USD")``.

    Attributes:
        members: the entry in JSON.
    """

    members: Mapping[str, Any]

    @staticmethod
    def credit(wallet_id: Id, amount: Amount, counter_account: str) -> "NewEntry":
        """Add to a wallet.

        Args:
            wallet_id: the wallet.
            amount: in the wallet's currency, more than 0: Decimal, int or str, never a float.
            counter_account: the other side, such as ``fx:EUR-USD``; or ``wallet:<id>`` of another entry, which names this
                wallet and has the opposite amount.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        return _entry("credit", wallet_id, amount, counter_account)

    @staticmethod
    def debit(wallet_id: Id, amount: Amount, counter_account: str) -> "NewEntry":
        """Take from a wallet; arguments and errors as ``credit``.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        return _entry("debit", wallet_id, amount, counter_account)


def _entry(direction: Direction, wallet_id: Id, amount: Amount, counter_account: str) -> NewEntry:
    return NewEntry(
        {
            "wallet_id": name_text(wallet_id),
            "direction": direction,
            "amount": amount_text(amount),
            "counter_account": counter_account,
        }
    )


def adjustment_members(
    balance: Amount | None,
    amount: Amount | None,
    direction: Direction | None,
    reason: str,
    details: Mapping[str, Any],
) -> dict[str, Any]:
    """The members of an adjustment in JSON; None for what was left out. ``details``: as ``movement_members``.

    Raises:
        TypeError, ValueError: an argument can't be sent, such as a float.
    """
    return {
        "balance": None if balance is None else amount_text(balance),
        "direction": direction,
        "reason": reason,
        **details,
        "amount": None if amount is None else amount_text(amount),
    }


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a batch: ``Operation.consume(wallet_id, "2.50", reference="invoice-42")``.

    Each static method takes what the method of ``client.transactions`` with the same name takes, except ``dry_run``, and
    makes an operation without sending anything. An operation without ``idempotency_key`` is identified by the key of its
    batch and its place in it.

    Attributes:
        members: the operation in JSON.
    """

    members: Mapping[str, Any]

    @staticmethod
    def deposit(
        wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        counter_account: str | None = None,
        parts: Iterable[NewPart] | None = None,
        idempotency_key: str | None = None,
    ) -> "Operation":
        """Credit a wallet with money that comes in from outside the ledger.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(
            amount, description, reference, metadata, effective_at, counter_account, parts=parts
        )
        return _operation("deposit", idempotency_key, members, wallet_id=wallet_id)

    @staticmethod
    def withdraw(
        wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        counter_account: str | None = None,
        parts: Iterable[NewPart] | None = None,
        idempotency_key: str | None = None,
    ) -> "Operation":
        """Debit a wallet by money that leaves the ledger.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(
            amount, description, reference, metadata, effective_at, counter_account, parts=parts
        )
        return _operation("withdraw", idempotency_key, members, wallet_id=wallet_id)

    @staticmethod
    def consume(
        wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        counter_account: str | None = None,
        parts: Iterable[NewPart] | None = None,
        idempotency_key: str | None = None,
    ) -> "Operation":
        """Debit a wallet for usage: the customer pays for what was used.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(
            amount, description, reference, metadata, effective_at, counter_account, parts=parts
        )
        return _operation("consume", idempotency_key, members, wallet_id=wallet_id)

    @staticmethod
    def reward(
        wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        counter_account: str | None = None,
        parts: Iterable[NewPart] | None = None,
        idempotency_key: str | None = None,
    ) -> "Operation":
        """Credit a wallet with promotional money or credits.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(
            amount, description, reference, metadata, effective_at, counter_account, parts=parts
        )
        return _operation("reward", idempotency_key, members, wallet_id=wallet_id)

    @staticmethod
    def fee(
        wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        counter_account: str | None = None,
        parts: Iterable[NewPart] | None = None,
        idempotency_key: str | None = None,
    ) -> "Operation":
        """Debit a wallet for a fee.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(
            amount, description, reference, metadata, effective_at, counter_account, parts=parts
        )
        return _operation("fee", idempotency_key, members, wallet_id=wallet_id)

    @staticmethod
    def transfer(
        wallet_id: Id,
        to_wallet_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        parts: Iterable[NewPart] | None = None,
        idempotency_key: str | None = None,
    ) -> "Operation":
        """Move money from one wallet to another of the same currency.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(amount, description, reference, metadata, effective_at, parts=parts)
        ids = {"wallet_id": wallet_id, "to_wallet_id": to_wallet_id}
        return _operation("transfer", idempotency_key, members, **ids)

    @staticmethod
    def refund(
        transaction_id: Id,
        amount: Amount | None = None,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        idempotency_key: str | None = None,
    ) -> "Operation":
        """Reverse a transaction: all that is not yet refunded, or a part of it.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(amount, description, reference, metadata, effective_at)
        return _operation("refund", idempotency_key, members, original_transaction_id=transaction_id)

    @staticmethod
    def adjust(
        wallet_id: Id,
        *,
        reason: str,
        balance: Amount | None = None,
        amount: Amount | None = None,
        direction: Direction | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        counter_account: str | None = None,
        idempotency_key: str | None = None,
    ) -> "Operation":
        """Correct a balance: to ``balance``, or by ``amount`` in a ``direction``.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        details = movement_members(None, None, reference, metadata, effective_at, counter_account)
        members = adjustment_members(balance, amount, direction, reason, details)
        return _operation("adjustment", idempotency_key, members, wallet_id=wallet_id)

    @staticmethod
    def post(
        type: EntriesType,  # noqa: A002 - the parameter's name in the API
        entries: Iterable[NewEntry],
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        idempotency_key: str | None = None,
    ) -> "Operation":
        """Post 1 to 20 entries together, such as an exchange with its fee.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(None, description, reference, metadata, effective_at)
        members["entries"] = [dict(each.members) for each in entries]
        return _operation(type, idempotency_key, members)


def _operation(kind: str, key: str | None, members: Mapping[str, Any], **ids: Id) -> Operation:
    named = {
        "type": kind,
        "idempotency_key": None if key is None else checked(key),
        **{name: name_text(value) for name, value in ids.items()},
        **members,
    }
    return Operation({member: value for member, value in named.items() if value is not None})
