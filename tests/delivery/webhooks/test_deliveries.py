"""Events are delivered by the worker to receivers, in order, again after failures, and under the same ids."""

from typing import Any

from support.webhook_receiver import Receiver

from .conftest import Hooks, until, working

POSTED = ["transaction.posted"]


async def spend(hooks: Hooks, wallet: dict[str, Any], times: int = 1) -> None:
    for _ in range(times):
        answer = await hooks.api.admin.move("consume", wallet["wallet_id"], "1")
        assert answer.status_code == 201, answer.text


async def test_an_event_is_delivered_and_verified(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    wallet = await hooks.api.admin.wallet("5")
    async with working(hooks.api):
        [delivery] = await hooks.until_states(endpoint, "delivered")
    [event] = receiver.verified(endpoint["secret"])
    page = (await hooks.api.admin.get("/events", types=POSTED[0])).json()["items"]
    assert [event] == page
    assert receiver.ids == [event["id"]] == [delivery["event_id"]]
    assert (delivery["number"], delivery["wallet_id"]) == (int(event["sequence"]), wallet["wallet_id"])
    [attempt] = (await hooks.delivery(endpoint, delivery["number"]))["log"]
    assert (attempt["attempt"], attempt["outcome"], attempt["status"]) == (1, "delivered", 204)
    await until(lambda: len(receiver.seen) == 1)
