"""Parameter types of endpoints: the caller, who has the permission."""

from typing import Annotated

from wallet_service.money.permissions import STATS_READ, TRANSACTIONS_WRITE, WALLETS_READ, WALLETS_WRITE
from wallet_service.platform.auth.authentication import Principal, requires

WalletReader = Annotated[Principal, requires(WALLETS_READ)]
WalletWriter = Annotated[Principal, requires(WALLETS_WRITE)]
Spender = Annotated[Principal, requires(TRANSACTIONS_WRITE)]
StatsReader = Annotated[Principal, requires(STATS_READ)]
