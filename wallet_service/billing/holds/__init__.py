"""Holds: credits of a wallet that are kept for a payment."""
