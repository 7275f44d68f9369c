"""A user's month: what was spent on what, exactly."""

import sys
from datetime import UTC, datetime
from uuid import uuid4

from wallet_client import WalletClient


def main() -> None:
    """Spend a little, then sum the month up."""
    with WalletClient() as client:
        user = f"month-{uuid4()}"
        wallet = client.create_wallet(user_id=user, initial_balance=50)
        for model, amount in (("small", "0.25"), ("large", "2.75"), ("small", "0.50")):
            client.consume(wallet.wallet_id, amount, counter_account=f"revenue:usage:{model}")

        since = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        for flow in client.statistics.user(user, from_=since).currencies:
            for total in flow.by_counter_account:
                sys.stdout.write(f"{total.counter_account:20} {total.transactions} {total.amount}\n")
            sys.stdout.write(f"{'left':20} {flow.closing_balance} {flow.currency}\n")


if __name__ == "__main__":
    main()
