"""Totals of postings: of a wallet, of a user, of the whole ledger."""
