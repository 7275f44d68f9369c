"""The types of operations of the ledger itself, and the directions of entries. Later rooms declare further types."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from wallet_service.core.room import OperationType

TransactionType: TypeAlias = Annotated[
    str,
    Field(
        pattern="^[a-z][a-z_]{0,39}$",
        description="The type of the operation. Later releases add types.",
        examples=["consume"],
    ),
]
Direction = Literal["credit", "debit"]

LEDGER_TYPES: Final = (
    OperationType(
        name="deposit",
        summary="money comes in",
        permission="deposits:write",
        form="movement",
        direction="credit",
        counter_account="external:deposits",
        mirrored=True,
        mirrored_account="mirrored:deposits",
        users_mirrored=True,
    ),
    OperationType(
        name="withdraw",
        summary="money goes out",
        permission="withdrawals:write",
        form="movement",
        direction="debit",
        counter_account="external:withdrawals",
        mirrored=True,
        mirrored_account="mirrored:withdrawals",
        users_operating=True,
        users_mirrored=True,
    ),
    OperationType(
        name="consume",
        summary="usage is paid",
        permission="usage:write",
        form="movement",
        direction="debit",
        counter_account="revenue:usage",
        users_operating=True,
    ),
    OperationType(
        name="reward",
        summary="credits are given",
        permission="rewards:write",
        form="movement",
        direction="credit",
        counter_account="promotions",
    ),
    OperationType(
        name="fee",
        summary="a fee is paid",
        permission="fees:write",
        form="movement",
        direction="debit",
        counter_account="revenue:fees",
        users_operating=True,
    ),
    OperationType(
        name="transfer",
        summary="from one wallet to another of the same currency",
        permission="transfers:write",
        form="transfer",
        mirrored=True,
        users_operating=True,
        users_mirrored=True,
    ),
    OperationType(
        name="refund",
        summary="all or part of an earlier posting is given back",
        permission="refunds:write",
        form="refund",
        mirrored=True,
        users_mirrored=True,
        refundable=False,
    ),
    OperationType(
        name="adjustment",
        summary="a balance is corrected, for a stated reason",
        permission="adjustments:write",
        form="adjustment",
        counter_account="external:adjustments",
        mirrored=True,
        mirrored_account="mirrored:adjustments",
        users_mirrored=True,
        refundable=False,
    ),
    OperationType(
        name="exchange",
        summary="one currency out and another in, each against an account such as `fx:EUR-USD`, with its fees",
        permission="exchanges:write",
        form="entries",
        mirrored=True,
        refundable=False,
    ),
    OperationType(
        name="payment",
        summary="a payment with what belongs to it, such as its fee, in one posting; refunded as a whole",
        permission="payments:write",
        form="entries",
        mirrored=True,
    ),
)
