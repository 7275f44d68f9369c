"""Move credits between two users and take them back, and show both sides of the books."""

import asyncio
import sys
from uuid import uuid4

from wallet_client import AsyncWalletClient, Entry


def line(entry: Entry) -> str:
    """One ledger row as a statement shows it."""
    sign = "+" if entry.direction == "credit" else "-"
    return f"{entry.transaction_type:8} {sign}{entry.amount.normalize():f} = {entry.balance_after}"


async def main() -> None:
    """Ada gives Ben 40 and gets 15 of them back."""
    async with AsyncWalletClient() as client:  # of WALLET_URL and WALLET_API_KEY
        ada, ben = await asyncio.gather(
            client.create_wallet(user_id=f"ada-{uuid4()}", initial_balance=100),
            client.create_wallet(user_id=f"ben-{uuid4()}"),
        )
        gift = await client.transfer(ada.wallet_id, ben.wallet_id, 40, description="Happy birthday")
        await client.refund(gift.transaction_id, 15)
        for name, wallet in (("Ada", ada), ("Ben", ben)):
            async for entry in client.transactions.list(wallet_id=wallet.wallet_id):
                sys.stdout.write(f"{name}: {line(entry)}\n")


if __name__ == "__main__":
    asyncio.run(main())
