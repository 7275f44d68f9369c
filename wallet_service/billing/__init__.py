"""Credits for usage-based billing: what is reserved, granted, limited, priced and topped up, on top of the ledger."""
