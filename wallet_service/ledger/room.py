"""What the ledger declares."""

from wallet_service.core.room import JobType, Room
from wallet_service.ledger.operation_types import LEDGER_TYPES
from wallet_service.ledger.problems import (
    AmountInvalid,
    AmountPrecision,
    BalanceLimit,
    BalanceUnchanged,
    BatchAborted,
    CurrencyMismatch,
    CurrencyUnknown,
    EntriesUnbalanced,
    InsufficientFunds,
    NotRefundable,
    RefundExceeds,
    SameWallet,
    TransactionNotFound,
    TransactionSuperseded,
    WalletClosed,
    WalletFrozen,
    WalletMirrored,
)
from wallet_service.ledger.settings import CommitSettings
from wallet_service.ledger.verify import LEDGER_WALKS

ROOM = Room(
    name="ledger",
    module=__name__,
    summary="the one way to move money: operations, group commit, the SQL kernel, verify",
    settings=CommitSettings,
    lifespan="lifespan:open_ledger",
    commands="commands:add_commands",
    verify_walks=LEDGER_WALKS,
    operation_types=LEDGER_TYPES,
    jobs=(
        JobType(
            name="settle_due_wallets",
            summary="records what took effect by itself: holds that expired, grants that begin or end",
            handler="jobs:settle_due_wallets",
            schedule="* * * * *",
        ),
    ),
    problems=(
        TransactionNotFound,
        WalletFrozen,
        WalletClosed,
        InsufficientFunds,
        CurrencyUnknown,
        CurrencyMismatch,
        AmountInvalid,
        AmountPrecision,
        BalanceLimit,
        SameWallet,
        RefundExceeds,
        NotRefundable,
        TransactionSuperseded,
        BatchAborted,
        BalanceUnchanged,
        EntriesUnbalanced,
        WalletMirrored,
    ),
)
