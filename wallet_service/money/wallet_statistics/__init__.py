"""Sums over what was posted: of a wallet, a user, the whole ledger."""
