"""Charge an order once, however often the worker that does it is restarted."""

import sys
from uuid import uuid4

from wallet_client import InsufficientFunds, OutcomeUnknown, WalletClient, key_from


def charge(client: WalletClient, wallet_id: str, order: str, amount: str) -> str:
    """What became of the order; call it again for one that is "open"."""
    key = key_from("order", wallet_id, order, "charge")  # each wallet counts its own orders
    try:
        paid = client.consume(wallet_id, amount, reference=order, idempotency_key=key)
    except InsufficientFunds as error:
        return f"refused, {error.shortfall} missing"
    except OutcomeUnknown:
        return "open"
    return f"paid{' before' if paid.replayed else ''}, {paid.balance_after} left"


def main() -> None:
    """Three orders, one of them twice."""
    with WalletClient() as client:
        wallet = client.create_wallet(user_id=f"charge-once-{uuid4()}", initial_balance=100)
        for order, amount in (("o-1", "30"), ("o-2", "90"), ("o-1", "30"), ("o-3", "70")):
            sys.stdout.write(f"{order}: {charge(client, wallet.wallet_id, order, amount)}\n")


if __name__ == "__main__":
    main()
