"""Opening balances: the import of wallets from another ledger."""
