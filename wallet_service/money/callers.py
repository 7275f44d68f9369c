"""Parameter types of endpoints: the caller, who has the permission."""

from typing import Annotated

from wallet_service.money.permissions import MOVES, STATS_READ, USAGE_WRITE, WALLETS_READ, WALLETS_WRITE
from wallet_service.platform.auth.authentication import Principal, requires

WalletReader = Annotated[Principal, requires(WALLETS_READ)]
WalletWriter = Annotated[Principal, requires(WALLETS_WRITE)]
UsageWriter = Annotated[Principal, requires(USAGE_WRITE)]
BatchSender = Annotated[Principal, requires(*MOVES)]
"""May post at least one kind of operation; each operation is checked by itself."""
StatsReader = Annotated[Principal, requires(STATS_READ)]
