"""Permissions of the money rooms."""

from wallet_service.core.room import Permission

WALLETS_READ = Permission("wallets:read", "Read wallets, balances and histories", is_users=True)
WALLETS_WRITE = Permission("wallets:write", "Create, change and close wallets", is_users=True)
TRANSACTIONS_WRITE = Permission(
    "transactions:write", "Move money, and set opening balances and credit limits", is_users=True
)
STATS_READ = Permission("stats:read", "Read statistics and the trial balance", is_users=True)
