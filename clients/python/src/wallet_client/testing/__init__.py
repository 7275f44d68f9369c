"""For tests of those who use the wallet: the service in memory.

fake = FakeWallet()
client = fake.client()
"""

from wallet_client.testing.fake import Call, FakeWallet

__all__ = ["Call", "FakeWallet"]
