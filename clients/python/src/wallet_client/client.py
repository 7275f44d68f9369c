"""WalletClient, the client for threads."""

from wallet_client._sync.client import WalletClient

__all__ = ["WalletClient"]
