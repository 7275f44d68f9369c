"""Wallets: create, read, change, close."""
