"""Top-ups over HTTP, on both drivers."""

from decimal import Decimal

from support.api import posted

from .conftest import Shop


async def test_a_debit_that_crosses_the_threshold_is_charged_and_deposited(shop: Shop) -> None:
    wallet_id = (await shop.admin.wallet("100"))["wallet_id"]
    await shop.set_rule(wallet_id)
    await shop.work()
    posted(await shop.admin.move("consume", wallet_id, "79.99"))
    assert await shop.top_ups(wallet_id) == [], "above the threshold"
    posted(await shop.admin.move("consume", wallet_id, "0.01"))
    (top_up,) = await shop.until(wallet_id, "completed")
    assert (top_up["trigger"], top_up["amount"]) == ("rule", "80.000000")
    (payment,) = shop.charged()
    assert Decimal(payment["amount"]) == 80
    assert payment["reference"] == f"top_up:{top_up['top_up_id']}"
    assert top_up["payment_id"] == payment["payment_id"]
    assert await shop.admin.balance(wallet_id) == "100.000000"
    deposit = (await shop.admin.get(f"/transactions/{top_up['transaction_id']}")).json()
    assert (deposit["transaction_type"], deposit["counter_account"]) == ("deposit", "external:top_ups")
    assert deposit["metadata"] == {"top_up_id": top_up["top_up_id"], "payment_id": payment["payment_id"]}
    assert await shop.events(wallet_id) == [
        "top_up_rule.created",
        "top_up.created",
        "top_up.started",
        "top_up.charged",
        "top_up.completed",
    ]
