"""Events are delivered by the worker to receivers, in order, again after failures, and under the same ids."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from conftest import FreshApi, FreshDatabase
from standardwebhooks import WebhookVerificationError
from support.api import open_api, problem
from support.polling import wait_until
from support.webhook_receiver import Receiver, open_receiver

from wallet_service.delivery.webhooks.backoff import PAUSES_S
from wallet_service.platform.auth.keys import list_keys, revoke_key
from wallet_service.platform.jobs.lifespan import running_worker
from wallet_service.platform.jobs.loops import Loops
from wallet_service.platform.vault.keys import generate_key
from wallet_service.rooms import ROOMS

from .conftest import LOCAL, Hooks, Timed, until, working

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


async def test_events_of_a_wallet_keep_their_order_and_other_wallets_do_not_wait(
    hooks: Hooks, receiver: Receiver
) -> None:
    wallet, other = await hooks.api.admin.wallet("9"), await hooks.api.admin.wallet("9")
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    held = asyncio.Event()

    async def hold_the_first(request: web.Request) -> web.Response:
        event = await request.json()
        if event["walletid"] == wallet["wallet_id"]:
            await held.wait()
        return web.Response()

    receiver.handler = hold_the_first
    await spend(hooks, wallet, 3)
    await spend(hooks, other, 3)
    async with working(hooks.api):
        await until(
            lambda: len(receiver.seen) == 4
        )  # all of the other wallet, and the first of the one that is slow
        assert [e["walletversion"] for e in receiver.events if e["walletid"] == wallet["wallet_id"]] == ["2"]
        held.set()
        await hooks.until_states(endpoint, *["delivered"] * 6)
    for each in (wallet, other):
        versions = [e["walletversion"] for e in receiver.events if e["walletid"] == each["wallet_id"]]
        assert versions == ["2", "3", "4"]


async def test_after_the_third_failure_later_events_of_the_wallet_go_on(
    timed: Timed, receiver: Receiver
) -> None:
    hooks = timed.hooks
    wallet = await hooks.api.admin.wallet("9")
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    failing = True

    async def refuse_the_first(request: web.Request) -> web.Response:
        event = await request.json()
        return web.Response(status=500 if failing and event["walletversion"] == "2" else 200, text="no")

    receiver.handler = refuse_the_first
    await spend(hooks, wallet, 3)
    async with working(hooks.api):
        for seen in (1, 2):
            await until(lambda seen=seen: len(receiver.seen) == seen)
            await timed.until_attempts(endpoint, seen)
            await timed.advance(timedelta(minutes=1))
        await timed.until_attempts(endpoint, 3)
        await timed.advance(timedelta(seconds=15))  # while an endpoint fails, it rests for a while
        found = await hooks.until_states(endpoint, "pending", "delivered", "delivered")
        assert [e["walletversion"] for e in receiver.events] == ["2", "2", "2", "3", "4"]
        assert found[0]["attempts"] == 3
        assert timedelta(seconds=90) < timed.due(found[0]) < timedelta(seconds=120)
        failing = False
        await timed.advance(timedelta(minutes=3))
        await hooks.until_states(endpoint, "delivered", "delivered", "delivered")
    assert len({*receiver.ids}) == 3
    log = (await hooks.delivery(endpoint, found[0]["number"]))["log"]
    assert [(each["attempt"], each["outcome"], each["status"], each["body"]) for each in log] == [
        (1, "failed", 500, "no"),
        (2, "failed", 500, "no"),
        (3, "failed", 500, "no"),
        (4, "delivered", 200, "no"),
    ]
    assert (await hooks.get(endpoint))["failing_since"] is None


async def test_a_receiver_that_fails_for_three_days_leaves_dead_letters_that_can_be_replayed(
    timed: Timed, receiver: Receiver
) -> None:
    hooks = timed.hooks
    wallet = await hooks.api.admin.wallet("9")
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    receiver.answer(503)
    began = timed.now
    await spend(hooks, wallet)
    async with working(hooks.api):
        for attempt in range(1, len(PAUSES_S) + 1):
            await timed.until_attempts(endpoint, attempt)
            await timed.advance(timedelta(seconds=PAUSES_S[attempt - 1] * 1.1))
        [dead] = await hooks.until_states(endpoint, "dead")
        assert timedelta(days=3) < timed.now - began < timedelta(days=4)
        assert [each["number"] for each in await hooks.deliveries(endpoint, state="dead")] == [dead["number"]]
        receiver.answer(200)
        path = f"/webhooks/{endpoint['endpoint_id']}/replay"
        answer = await hooks.api.admin.post(path, {"dead": True})
        assert (answer.status_code, answer.json()["deliveries"], answer.json()["more"]) == (202, 1, False)
        await hooks.until_states(endpoint, "delivered")
    assert {*receiver.ids} == {dead["event_id"]}
    assert len(receiver.ids) == len(PAUSES_S) + 2


async def test_a_receiver_says_when_to_come_back(timed: Timed, receiver: Receiver) -> None:
    hooks = timed.hooks
    wallet = await hooks.api.admin.wallet("9")
    endpoint = await hooks.create(receiver.url, event_types=POSTED)

    async def later(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7200"})

    receiver.handler = later
    await spend(hooks, wallet)
    async with working(hooks.api):
        await timed.until_attempts(endpoint, 1)
    [delivery] = await hooks.deliveries(endpoint)
    assert timed.due(delivery) == timedelta(hours=2)


async def test_a_receiver_that_is_gone_is_disabled_and_goes_on_when_it_is_active_again(
    hooks: Hooks, receiver: Receiver
) -> None:
    wallet = await hooks.api.admin.wallet("9")
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    receiver.answer(410)
    await spend(hooks, wallet)
    async with working(hooks.api):
        await until(lambda: len(receiver.seen) == 1)

        async def disabled() -> bool:
            return (await hooks.get(endpoint))["status"] == "disabled"

        await until(disabled)
        assert (await hooks.get(endpoint))["disabled_reason"] == "gone"
        await spend(hooks, wallet)
        page = (await hooks.api.admin.get("/events", types="webhook_endpoint.disabled")).json()["items"]
        [event] = page
        assert event["subject"] == endpoint["endpoint_id"]
        assert (event["data"]["before"]["status"], event["data"]["after"]["disabled_reason"]) == (
            "active",
            "gone",
        )
        assert [each["state"] for each in await hooks.deliveries(endpoint)] == ["pending"]
        assert len(receiver.seen) == 1
        receiver.answer(200)
        answer = await hooks.api.admin.patch(f"/webhooks/{endpoint['endpoint_id']}", {"status": "active"})
        assert (answer.json()["status"], answer.json()["disabled_reason"]) == ("active", None)
        await hooks.until_states(endpoint, "delivered", "delivered")


async def test_an_endpoint_without_a_success_for_days_is_disabled(timed: Timed, receiver: Receiver) -> None:
    hooks = timed.hooks
    wallet = await hooks.api.admin.wallet("9")
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    receiver.answer(500)
    await spend(hooks, wallet)
    async with working(hooks.api):
        await timed.until_attempts(endpoint, 1)
        assert (await hooks.get(endpoint))["failing_since"] is not None
        await timed.advance(timedelta(days=5))

        async def disabled() -> bool:
            return (await hooks.get(endpoint))["status"] == "disabled"

        await until(disabled)
    assert (await hooks.get(endpoint))["disabled_reason"] == "failing"


async def test_an_endpoint_of_a_client_without_a_valid_key_gets_nothing(
    hooks: Hooks, receiver: Receiver
) -> None:
    client = await hooks.api.service("webhooks:write", name="partner")
    answer = await client.post("/webhooks", {"url": receiver.url, "event_types": POSTED})
    [key] = [
        each for each in await list_keys(hooks.api.app.state.database) if each["client_name"] == "partner"
    ]
    await revoke_key(hooks.api.app.state.database, key["key_id"])
    await hooks.api.admin.wallet("9")
    other = await hooks.create(receiver.url, event_types=POSTED)
    await hooks.api.admin.wallet("9")
    async with working(hooks.api):
        await hooks.until_states(other, "delivered")
        page = await hooks.api.admin.get("/events", types="webhook_endpoint.disabled")
    [event] = page.json()["items"]
    assert event["subject"] == answer.json()["endpoint_id"]
    assert event["data"]["after"]["disabled_reason"] == "client"
    assert len(receiver.seen) == 1


async def test_a_slow_or_redirecting_receiver_does_not_hold_up_another(
    fresh_api: FreshApi, receiver: Receiver
) -> None:
    settings = {"webhooks_allowed_networks": LOCAL, "credential_keys": generate_key("k1")}
    hooks = Hooks(await fresh_api(**settings, webhooks_concurrency=4, webhooks_per_endpoint=2))
    async with open_receiver() as slow, open_receiver() as redirecting:
        never = asyncio.Event()

        async def wait(_: web.Request) -> web.Response:
            await never.wait()
            return web.Response()

        async def redirect(_: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": receiver.url})

        slow.handler, redirecting.handler = wait, redirect
        for each in (slow, redirecting, receiver):
            endpoint = await hooks.create(each.url, event_types=POSTED)
        for _ in range(6):
            await hooks.api.admin.wallet("1")
        async with working(hooks.api):
            await hooks.until_states(endpoint, *["delivered"] * 6)
            await wait_until(lambda: len(slow.seen) == 2)  # and no more, as long as they wait
            never.set()
    assert len(receiver.seen) == 6


async def test_while_a_secret_is_rotated_both_are_valid(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    path = f"/webhooks/{endpoint['endpoint_id']}/rotate-secret"
    rotated = (await hooks.api.admin.post(path, {"overlap_s": 3600})).json()
    assert rotated["secret"] != endpoint["secret"]
    await hooks.api.admin.wallet("9")
    async with working(hooks.api):
        await hooks.until_states(endpoint, "delivered")
        assert len(receiver.verified(endpoint["secret"])) == len(receiver.verified(rotated["secret"])) == 1
        last = (await hooks.api.admin.post(path, {"overlap_s": 0})).json()
        assert last["old_secret_until"] is None
        receiver.seen.clear()
        await hooks.api.admin.wallet("9")
        await hooks.until_states(endpoint, "delivered", "delivered")
    assert len(receiver.verified(last["secret"])) == 1
    for old in (endpoint, rotated):
        with pytest.raises(WebhookVerificationError):
            receiver.verified(old["secret"])


async def test_a_replay_from_a_moment_an_event_or_a_number_keeps_ids_and_order(
    hooks: Hooks, receiver: Receiver
) -> None:
    wallet = await hooks.api.admin.wallet("9")
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    await spend(hooks, wallet, 2)
    between = datetime.now(UTC)
    await spend(hooks, wallet, 2)
    path = f"/webhooks/{endpoint['endpoint_id']}/replay"
    async with working(hooks.api):
        found = await hooks.until_states(endpoint, *["delivered"] * 4)
        choices: dict[str, tuple[dict[str, Any], int]] = {
            "event": ({"from_event": found[1]["event_id"]}, 1),
            "number": ({"from_number": found[3]["number"]}, 3),
            "one": ({"number": found[2]["number"]}, 2),
            # Events have the moment of their number: all were numbered after this one.
            "moment": ({"from_time": between.isoformat()}, 0),
        }
        for name, (choice, first) in choices.items():
            receiver.seen.clear()
            answer = await hooks.api.admin.post(path, choice)
            assert answer.status_code == 202, answer.text
            wanted = [
                each["event_id"] for each in (found[first : first + 1] if name == "one" else found[first:])
            ]
            await until(lambda wanted=wanted: len(receiver.seen) >= len(wanted))
            await hooks.until_states(endpoint, *["delivered"] * 4)
            assert receiver.ids == wanted, name
        before = await hooks.api.admin.post(path, {"from_number": 1})  # since before it was created
        assert before.status_code == 202
        await hooks.until_states(endpoint, *["delivered"] * 5)


async def test_two_workers_deliver_each_event_once(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    wallets = [await hooks.api.admin.wallet("9") for _ in range(10)]
    async with working(hooks.api), working(hooks.api):
        for wallet in wallets:
            await spend(hooks, wallet, 2)
        await hooks.until_states(endpoint, *["delivered"] * 30)
    assert len(receiver.ids) == len({*receiver.ids}) == 30
    for wallet in wallets:
        versions = [e["walletversion"] for e in receiver.events if e["walletid"] == wallet["wallet_id"]]
        assert versions == ["1", "2", "3"]


async def test_a_worker_that_stops_gives_back_what_it_sends(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    never = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    receiver.handler = wait
    await hooks.api.admin.wallet("9")
    loops = Loops(hooks.api.app.state, ROOMS)
    await until(lambda: len(receiver.seen) == 1)
    await loops.stop(0)
    receiver.handler = None
    async with working(hooks.api):  # at once, not at the end of the lease
        await hooks.until_states(endpoint, "delivered")
    assert len(receiver.ids) == 2
    assert len({*receiver.ids}) == 1


async def test_an_endpoint_that_is_deleted_while_it_gets_something(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    held = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await held.wait()
        return web.Response()

    receiver.handler = wait
    wallet = await hooks.api.admin.wallet("9")
    await spend(hooks, wallet)
    async with working(hooks.api):
        await until(lambda: len(receiver.seen) == 1)
        answer = await hooks.api.admin.delete(f"/webhooks/{endpoint['endpoint_id']}")
        assert answer.status_code == 204
        held.set()
    assert len(receiver.seen) == 1
    problem(await hooks.api.admin.get(f"/webhooks/{endpoint['endpoint_id']}"), "webhook_not_found")
    parts = hooks.api.app.state.webhook_deliveries
    assert await parts.repository.delete_old(30, 100) == (2, False)
    assert await parts.repository.delete_old(30, 100) == (0, False)


async def test_another_url_is_attempted_at_once(timed: Timed, receiver: Receiver) -> None:
    hooks = timed.hooks
    endpoint = await hooks.create("http://127.0.0.1:9/", event_types=POSTED)
    await hooks.api.admin.wallet("9")
    async with working(hooks.api):
        await timed.until_attempts(endpoint, 1)
        path = f"/webhooks/{endpoint['endpoint_id']}"
        changed = (await hooks.api.admin.patch(path, {"url": receiver.url})).json()
        assert (changed["url"], changed["failing_since"]) == (receiver.url, None)
        [delivery] = await hooks.until_states(endpoint, "delivered")  # the clock stands still
    log = (await hooks.delivery(endpoint, delivery["number"]))["log"]
    assert [(each["outcome"], each["error"]) for each in log] == [
        ("failed", "connection"),
        ("delivered", None),
    ]


async def test_without_a_key_of_the_vault_deliveries_wait(
    fresh_database: FreshDatabase, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await fresh_database()
    keys = generate_key("k1")
    async with (
        open_api(made.service_dsn, webhooks_allowed_networks=LOCAL, credential_keys=keys) as api,
        open_api(made.service_dsn, webhooks_allowed_networks=LOCAL) as without,
    ):
        hooks = Hooks(api)
        endpoint = await hooks.create(receiver.url, event_types=POSTED)
        await api.admin.wallet("9")
        async with working(without):
            await hooks.until_states(endpoint, "pending")
            await until(lambda: "WALLET_CREDENTIAL_KEYS" in capsys.readouterr().out)
        assert (receiver.seen, (await hooks.deliveries(endpoint))[0]["attempts"]) == ([], 0)
        async with working(api):
            await hooks.until_states(endpoint, "delivered")
        metrics = (await api.http.get("/metrics", headers=api.admin.headers)).text
    assert 'wallet_webhook_attempts_total{outcome="delivered"} 1.0' in metrics
    assert 'wallet_webhook_deliveries{state="dead"} 0.0' in metrics


async def test_deliveries_are_removed_some_days_after_their_end(timed: Timed, receiver: Receiver) -> None:
    hooks = timed.hooks
    endpoint = await hooks.create(receiver.url, event_types=POSTED)
    await hooks.api.admin.wallet("9")
    state = hooks.api.app.state
    async with running_worker(state, state.settings, ROOMS):
        [delivery] = await hooks.until_states(endpoint, "delivered")
        await timed.advance(timedelta(days=31))
        await state.jobs.enqueue("delete_old_webhook_deliveries")
        await hooks.until_states(endpoint)
    path = f"/webhooks/{endpoint['endpoint_id']}/deliveries/{delivery['number']}"
    problem(await hooks.api.admin.get(path), "delivery_not_found")
    # What is no longer there can be delivered again as long as its event is kept.
    answer = await hooks.api.admin.post(
        f"/webhooks/{endpoint['endpoint_id']}/replay", {"from_number": delivery["number"]}
    )
    assert answer.status_code == 202
    async with working(hooks.api):
        await hooks.until_states(endpoint, "delivered")
    assert receiver.ids == [delivery["event_id"]] * 2
    replays = (await hooks.api.admin.get("/events", types="webhook_endpoint.replayed")).json()["items"]
    assert [each["subject"] for each in replays] == [endpoint["endpoint_id"]]
