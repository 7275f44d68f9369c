"""Whether the restrictions of a key allow an operation: its wallets, their other sides, and how much it moves."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from wallet_service.core.errors import Forbidden
from wallet_service.core.room import OperationType
from wallet_service.ledger.operations import Operation
from wallet_service.ledger.problems import NotRefundable, TransactionNotFound
from wallet_service.platform.membership.access import RestrictedAccess


class _Movement(NamedTuple):
    """What an operation would do to one wallet.

    Attributes:
        wallet_id: the wallet.
        direction: debit or credit; None: either.
        amount: None: only the kernel knows it.
        counter_account: None: the default of the type.
    """

    wallet_id: str
    direction: str | None
    amount: str | None
    counter_account: str | None


async def check_restriction(
    access: RestrictedAccess, operation: Operation, types: Mapping[str, OperationType]
) -> None:
    """Refuse an operation that the caller's key may not post.

    Args:
        access: the access checks of the request.
        operation: as it would be posted.
        types: every type of operations by its name.

    Raises:
        WalletNotFound, TransactionNotFound: the key does not cover its wallets.
        Forbidden: the key is restricted to other counter accounts, or to smaller amounts.
    """
    kind = types[operation.type]
    if kind.checks_restriction and operation.wallet_id is not None:
        await access.find(operation.wallet_id)
        if operation.to_wallet_id is not None:
            await access.find(operation.to_wallet_id)
        return
    if operation.original_transaction_id is not None:
        movements = await _reversed(access, operation, operation.original_transaction_id, types)
    else:
        movements = _named(operation, kind)
    amounts: dict[tuple[str, str | None], Decimal] = defaultdict(Decimal)
    for each in movements:
        wallet = await access.find(each.wallet_id)
        default = kind.mirrored_account if wallet.keeping == "mirrored" else kind.counter_account
        if (other := each.counter_account or default) is not None:
            access.restriction.require_counter_account(other)
        elif kind.form == "room" and access.restriction.counter_accounts:
            # Otherwise the room would choose it, after this check.
            raise Forbidden(
                "The key is restricted to some counter accounts, so the operation must name its counter account",
                allowed=list(access.restriction.counter_accounts),
            )
        if each.amount is not None:
            amounts[wallet.currency, each.direction] += Decimal(each.amount)
        elif access.restriction.max_amount is not None:
            raise Forbidden(
                "The key moves at most a certain amount in an operation, so the operation must name its amount",
                max_amount=f"{access.restriction.max_amount:f}",
            )
    for amount in amounts.values():
        access.restriction.require_amount(amount)


def _named(operation: Operation, kind: OperationType) -> Sequence[_Movement]:
    """The movements of an operation that names its wallets."""
    if operation.entries:
        return [
            _Movement(
                each.wallet_id,
                each.direction,
                each.amount,
                each.counter_account.lower()
                if each.counter_account and each.counter_account.startswith("wallet:")
                else each.counter_account,
            )
            for each in operation.entries
        ]
    if operation.wallet_id is None:
        # A wallet that only the ledger finds can't be checked; callers with restrictions name theirs.
        raise Forbidden("A restricted key names the wallet")
    direction = operation.direction or kind.direction
    if operation.to_wallet_id is None:
        return [_Movement(operation.wallet_id, direction, operation.amount, operation.counter_account)]
    return [
        _Movement(operation.wallet_id, "debit", operation.amount, f"wallet:{operation.to_wallet_id}"),
        _Movement(operation.to_wallet_id, "credit", operation.amount, f"wallet:{operation.wallet_id}"),
    ]


async def _reversed(
    access: RestrictedAccess, operation: Operation, original: str, types: Mapping[str, OperationType]
) -> Sequence[_Movement]:
    """The movements of a refund. Without an amount at most the whole original is given back.

    Raises:
        TransactionNotFound: the key covers none of the original's wallets, or there is no original.
        Forbidden: it covers only some.
        NotRefundable: no room declares the type of the original.
    """
    legs = await access.legs(original)
    seen = [await access.sees(leg["wallet_id"]) for leg in legs]
    if not any(seen):
        raise TransactionNotFound(transaction_id=original)
    if not all(seen):
        raise Forbidden("The refund moves money of a wallet to which the key is not restricted")
    kind = types.get(legs[0]["transaction_type"])
    if kind is None:  # of a room that is no longer there
        raise NotRefundable(transaction_id=original)
    partly = operation.amount if kind.form != "entries" else None
    return [
        _Movement(
            leg["wallet_id"],
            "debit" if leg["direction"] == "credit" else "credit",
            partly or leg["amount"],
            leg["counter_account"],
        )
        for leg in legs
    ]
