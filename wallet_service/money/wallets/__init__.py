"""Wallets themselves: making, reading, changing, closing."""
