"""Permissions of the money rooms. A type of operations names its permission: ``OperationType.permission``."""

from wallet_service.core.room import Permission

WALLETS_READ = Permission("wallets:read", "Read wallets, balances and histories", is_users=True)
WALLETS_WRITE = Permission("wallets:write", "Create, change and close wallets", is_users=True)
STATS_READ = Permission(
    "stats:read", "Read statistics of all wallets and the trial balance", spans_wallets=True
)

DEPOSITS_WRITE = Permission(
    "deposits:write", "Deposit, and set opening balances of new wallets", is_users=True
)
USAGE_WRITE = Permission("usage:write", "Consume, also a user's credits", is_users=True)
WITHDRAWALS_WRITE = Permission("withdrawals:write", "Withdraw", is_users=True)
TRANSFERS_WRITE = Permission("transfers:write", "Transfer between wallets", is_users=True)
REFUNDS_WRITE = Permission("refunds:write", "Refund transactions", is_users=True)
ADJUSTMENTS_WRITE = Permission("adjustments:write", "Correct balances", is_users=True)
REWARDS_WRITE = Permission("rewards:write", "Give rewards")
FEES_WRITE = Permission("fees:write", "Charge fees", is_users=True)
EXCHANGES_WRITE = Permission("exchanges:write", "Post exchanges of currencies")
PAYMENTS_WRITE = Permission("payments:write", "Post payments of several entries")
CREDIT_LIMITS_WRITE = Permission("credit_limits:write", "Set credit limits, together with `wallets:write`")

MOVES = (
    DEPOSITS_WRITE,
    USAGE_WRITE,
    WITHDRAWALS_WRITE,
    TRANSFERS_WRITE,
    REFUNDS_WRITE,
    ADJUSTMENTS_WRITE,
    REWARDS_WRITE,
    FEES_WRITE,
    EXCHANGES_WRITE,
    PAYMENTS_WRITE,
)
"""One for each kind of operation."""

TRANSACTIONS_WRITE = Permission(
    "transactions:write",
    "Move money in every way, and set credit limits",
    includes=tuple(each.name for each in (*MOVES, CREDIT_LIMITS_WRITE)),
)

RATES_READ = Permission("rates:read", "Read meters and rate cards", spans_wallets=True)
RATES_WRITE = Permission(
    "rates:write",
    "Create meters, create, change and end rate cards, and set exchange rates of the service",
    spans_wallets=True,
)
"""Declared by `billing/rates`. Exchange rates (`finance/fx`), which are as little of one wallet, need it, too."""
