"""Opening balances: the way in for a team that comes from another ledger."""
