"""For tests of programs that use the wallet: FakeWallet in memory, and RealWallet, which starts the service."""

from wallet_client.testing.fake import Call, FakeWallet
from wallet_client.testing.problems import NotInFakeWallet
from wallet_client.testing.service import RealWallet, ServiceNotInstalled, ServiceNotStarted

__all__ = ["Call", "FakeWallet", "NotInFakeWallet", "RealWallet", "ServiceNotInstalled", "ServiceNotStarted"]
