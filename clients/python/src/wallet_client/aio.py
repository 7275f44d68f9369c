"""AsyncWalletClient, the client for asyncio."""

from wallet_client._async.client import AsyncWalletClient

__all__ = ["AsyncWalletClient"]
