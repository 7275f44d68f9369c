"""What changes while a delivery waits or is sent: its endpoint, its secret, its event; and many endpoints at once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from conftest import FreshApi
from support.api import open_api
from support.webhook_receiver import Receiver, open_receiver

from wallet_service.core.identifiers import new_id
from wallet_service.delivery.webhooks.deliveries import DeliveryParts
from wallet_service.platform.vault.keys import generate_key

from .conftest import LOCAL, Hooks, Timed, until, working

POSTED = ["transaction.posted"]


def parts_of(hooks: Hooks) -> DeliveryParts:
    return hooks.api.app.state.webhook_deliveries


async def spread(hooks: Hooks) -> int:
    """Make deliveries of what was committed, as a worker does, until there are none to make."""
    parts, made = parts_of(hooks), 0
    await parts.events.number()
    while True:
        created, more, _ = await parts.repository.spread(500)
        made += created
        if not more:
            return made


@pytest.mark.parametrize("status", [410, 500])
async def test_a_late_response_of_an_old_url_says_nothing_about_the_new_one(
    hooks: Hooks, receiver: Receiver, status: int
) -> None:
    held = asyncio.Event()

    async def late(_: web.Request) -> web.Response:
        await held.wait()
        return web.Response(status=status)

    async with open_receiver() as new:
        receiver.handler = late
        endpoint = await hooks.create(receiver.url, event_types=POSTED)
        await hooks.api.admin.wallet("9")
        async with working(hooks.api):
            await until(lambda: len(receiver.seen) == 1)
            path = f"/webhooks/{endpoint['endpoint_id']}"
            answer = await hooks.api.admin.patch(path, {"url": new.url})
            assert answer.status_code == 200, answer.text
            held.set()
            [delivery] = await hooks.until_states(
                endpoint, "delivered"
            )  # at once, without the pause of a failure
        assert new.ids == receiver.ids == [delivery["event_id"]]
    after = await hooks.get(endpoint)
    assert (after["status"], after["failing_since"]) == ("active", None)
    log = (await hooks.delivery(endpoint, delivery["number"]))["log"]
    assert [each["status"] for each in log] == [status, 204]


async def test_an_event_that_was_removed_is_no_failure_of_the_endpoint(
    timed: Timed, receiver: Receiver
) -> None:
    hooks = timed.hooks
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    await hooks.api.admin.wallet("9")
    await spread(hooks)
    await timed.advance(timedelta(days=91))
    await parts_of(hooks).events.keep()
    async with working(hooks.api):
        [delivery] = await hooks.until_states(endpoint, "dead")
        [attempt] = (await hooks.delivery(endpoint, delivery["number"]))["log"]
        assert attempt["error"] == "event_removed"
        after = await hooks.get(endpoint)
        assert (after["status"], after["failing_since"]) == ("active", None)
        await hooks.api.admin.wallet("9")
        await hooks.until_states(endpoint, "dead", "delivered")  # the clock stands still: it does not rest


@pytest.mark.parametrize("change", ["deleted", "disabled"])
async def test_a_claim_that_is_repeated_after_its_endpoint_ended_claims_nothing(
    hooks: Hooks, receiver: Receiver, change: str
) -> None:
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    await hooks.api.admin.wallet("9")
    await spread(hooks)
    claim_id, repository = new_id(), parts_of(hooks).repository
    assert len(await repository.claim(claim_id, 10, 10, 60)) == 1
    path = f"/webhooks/{endpoint['endpoint_id']}"
    if change == "deleted":
        assert (await hooks.api.admin.delete(path)).status_code == 204
    else:
        assert (await hooks.api.admin.patch(path, {"status": "disabled"})).status_code == 200
    assert await repository.claim(claim_id, 10, 10, 60) == []
    if change == "disabled":  # it is due at once when the endpoint is active again
        await hooks.api.admin.patch(path, {"status": "active"})
        assert len(await repository.claim(new_id(), 10, 10, 60)) == 1


async def test_a_delivery_that_is_given_back_waits_for_a_replay_before_it(
    hooks: Hooks, receiver: Receiver
) -> None:
    wallet = await hooks.api.admin.wallet("9")
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    for _ in range(2):
        await hooks.api.admin.move("consume", wallet["wallet_id"], "1")
    await spread(hooks)
    repository = parts_of(hooks).repository
    delivered = {"outcome": "delivered", "status": 204, "body": "", "duration_ms": 1}
    [first] = await repository.claim(new_id(), 10, 10, 60)
    assert await repository.report(first, delivered, 0, 86_400) == "delivered"
    [second] = await repository.claim(new_id(), 10, 10, 60)
    path = f"/webhooks/{endpoint['endpoint_id']}/replay"
    assert (await hooks.api.admin.post(path, {"number": first.number})).status_code == 202
    await repository.release(second)  # its worker stops
    claimed = await repository.claim(new_id(), 10, 10, 60)
    assert [each.number for each in claimed] == [first.number]
    assert await repository.report(claimed[0], delivered, 0, 86_400) == "delivered"
    assert [each.number for each in await repository.claim(new_id(), 10, 10, 60)] == [second.number]


async def test_nothing_is_sent_without_a_signature(hooks: Hooks, receiver: Receiver) -> None:
    attempt = await hooks.api.app.state.webhooks.sender.send(receiver.url, "msg_1", "{}", [])
    assert (attempt.succeeded, receiver.seen) == (False, [])


async def test_a_secret_that_does_not_open_is_no_failure_of_the_endpoint(
    timed: Timed, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    hooks = timed.hooks
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    await hooks.api.admin.wallet("9")
    settings: dict[str, Any] = {"webhooks_allowed_networks": LOCAL, "credential_keys": generate_key("k2")}
    async with open_api(timed.dsn, **settings) as other, working(other):  # a worker without the key k1
        await until(lambda: "webhook_secret_not_opened" in capsys.readouterr().out)

        async def is_given_back() -> bool:
            [delivery] = await hooks.deliveries(endpoint)
            return timed.due(delivery) == timedelta(seconds=30)

        await until(is_given_back)
    [delivery] = await hooks.deliveries(endpoint)
    assert (delivery["state"], delivery["attempts"]) == ("pending", 0)
    assert (await hooks.get(endpoint))["failing_since"] is None
    await timed.advance(timedelta(seconds=30))
    async with working(hooks.api):
        await hooks.until_states(endpoint, "delivered")


async def test_endpoints_that_want_nothing_do_not_hold_up_those_behind_them(
    fresh_api: FreshApi, receiver: Receiver
) -> None:
    settings = {"webhooks_allowed_networks": LOCAL, "credential_keys": generate_key("k1")}
    hooks = Hooks(await fresh_api(**settings, webhooks_max_endpoints=100))
    for _ in range(60):
        await hooks.create(receiver.url, event_types=["wallet.closed"])
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    for count in (1, 2):
        await hooks.api.admin.wallet("9")
        assert await spread(hooks) == 1
        assert len(await hooks.deliveries(endpoint)) == count
