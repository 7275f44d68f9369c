"""A clock of the ledger that callers set, for trying out what time does."""
