"""A wallet and credits ledger behind an HTTP API."""

__version__ = "0.1.0"
