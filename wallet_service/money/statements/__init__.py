"""Reads of the ledger: transactions, histories, statements, balances."""
