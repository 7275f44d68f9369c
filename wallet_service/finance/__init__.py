"""Money management: what a person or a business books on its wallets, beside the ledger, which it never changes."""
