"""Limits of what a wallet may spend."""
