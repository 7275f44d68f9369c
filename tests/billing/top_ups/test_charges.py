"""What a rule charges, when it stops, and what becomes of a charge whose outcome is not known at first."""

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from httpx import Headers as CaseInsensitive
from support.api import posted
from support.clock import SettableClock

from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.keys import list_keys, revoke_key
from wallet_service.platform.auth.restrictions import Restriction

from .conftest import RULE, Shop
from .test_top_ups_router import send, signed

NOON = datetime(2031, 6, 2, 12, tzinfo=UTC)


async def notify(shop: Shop, payment: dict[str, Any], *, message: str = "") -> None:
    """A notice about a payment. What it says of the payment's status is not believed, so it always says the same."""
    data = {"payment_id": payment["payment_id"], "reference": payment["reference"]}
    body = json.dumps({"type": "payment.updated", "data": data}).encode()
    answer = await send(shop.api, body, signed(body, message=message))
    assert answer.status_code == 204, answer.text


async def until_idle(shop: Shop) -> None:
    """Wait until no job of top-ups is due."""
    query = (
        "select count(*) from platform.jobs where type like '%top_up%' and status in ('queued', 'running')"
    )
    async with asyncio.timeout(60):
        while await shop.database.fetchval(f"{query} and due_at <= wallet.clock()"):  # noqa: ASYNC110 - of the database, which sends no event
            await asyncio.sleep(0.02)


async def settle(shop: Shop) -> None:
    """What the job of each minute does."""
    await shop.api.app.state.database.call("settle_due", limit=100)


async def test_twenty_debits_that_cross_at_once_start_one_top_up(local_shop: Shop) -> None:
    shop = local_shop
    wallet_id = (await shop.admin.wallet("100"))["wallet_id"]
    await shop.set_rule(wallet_id, threshold="99")
    await shop.work()
    for answer in await asyncio.gather(*(shop.admin.move("consume", wallet_id, "1.5") for _ in range(20))):
        posted(answer)
    await until_idle(shop)
    done = await shop.top_ups(wallet_id)
    total = sum(Decimal(each["amount"]) for each in done)
    assert all(each["state"] == "completed" for each in done)
    assert len(shop.charged()) == len(done)
    assert Decimal(await shop.admin.balance(wallet_id)) == 70 + total > 99
    spans = [(each["created_at"], each["ended_at"]) for each in done]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans)), "one at a time"


async def test_without_a_worker_twenty_debits_leave_one_top_up(shop: Shop) -> None:
    wallet_id = (await shop.admin.wallet("100"))["wallet_id"]
    await shop.set_rule(wallet_id, threshold="99")
    for answer in await asyncio.gather(*(shop.admin.move("consume", wallet_id, "1.5") for _ in range(20))):
        posted(answer)
    assert [each["state"] for each in await shop.top_ups(wallet_id)] == ["created"]
    await shop.work()
    (done,) = await shop.until(wallet_id, "completed")
    assert done["amount"] == "30.000000", "what is missing when the charge begins"
    assert await shop.admin.balance(wallet_id) == "100.000000"


async def test_what_is_not_posted_starts_nothing(local_shop: Shop) -> None:
    shop = local_shop
    wallet_id = (await shop.admin.wallet("100"))["wallet_id"]
    await shop.set_rule(wallet_id)
    assert (await shop.admin.move("consume", wallet_id, "90", dry_run=True)).status_code == 200
    debit = {"type": "consume", "wallet_id": wallet_id, "amount": "90"}
    answer = await shop.admin.batch(debit, debit, atomic=True)
    assert answer.status_code == 402, answer.text
    credit = {"type": "reward", "wallet_id": wallet_id, "amount": "90"}
    assert (await shop.admin.batch(debit, credit)).status_code == 200
    assert await shop.top_ups(wallet_id) == [], "down and up again in one call"


async def test_a_rule_for_a_wallet_that_is_low_starts_at_once(local_shop: Shop) -> None:
    shop = local_shop
    wallet_id = (await shop.admin.wallet("20"))["wallet_id"]
    await shop.set_rule(wallet_id, target=None, amount="15", threshold="40")
    await shop.work()
    first, second = await shop.until(wallet_id, "completed", "completed")
    assert (first["amount"], second["amount"]) == ("15.000000", "15.000000"), (
        "until it is above the threshold"
    )
    assert await shop.admin.balance(wallet_id) == "50.000000"


async def test_a_lost_response_is_asked_for_again_and_charged_once(shop: Shop) -> None:
    wallet_id = (await shop.admin.wallet("1"))["wallet_id"]
    await shop.work()
    await shop.request(wallet_id, payment_method="lost-1")
    await shop.until(wallet_id, "completed")
    keys = [
        CaseInsensitive(question.headers)["Idempotency-Key"]
        for question in shop.upstreams.questions
        if question.method == "POST"
    ]
    assert len(keys) > 1
    assert len(set(keys)) == len(shop.upstreams.payments) == 1
    assert await shop.admin.balance(wallet_id) == "51.000000"


async def test_while_the_payment_service_is_down_the_charge_is_tried_again(
    timed_shop: Shop, clock: SettableClock
) -> None:
    shop = timed_shop
    await clock.set(NOON)
    wallet_id = (await shop.admin.wallet("1"))["wallet_id"]
    shop.upstreams.fault = "503"
    await shop.work()
    await shop.request(wallet_id)
    await shop.until(wallet_id, "charging")
    await until_idle(shop)
    shop.upstreams.fault = None
    await clock.advance(timedelta(seconds=5))
    await shop.until(wallet_id, "completed")
    assert len(shop.upstreams.payments) == 1


async def test_after_declines_the_rule_waits_longer_each_time_and_then_stops(
    timed_shop: Shop, clock: SettableClock
) -> None:
    shop = timed_shop
    await clock.set(NOON)
    wallet_id = (await shop.admin.wallet("10"))["wallet_id"]
    await shop.work()
    await shop.set_rule(wallet_id, payment_method="declined-1", max_declines=3, backoff_s=100)
    await shop.until(wallet_id, "declined")
    rule = await shop.rule(wallet_id)
    assert (rule["state"], rule["pause_reason"], rule["declines"]) == ("paused", "declined", 1)
    assert rule["resumes_at"] == "2031-06-02T12:01:40.000000Z"
    posted(await shop.admin.move("consume", wallet_id, "1"))
    await clock.advance(timedelta(seconds=99))
    await settle(shop)
    assert len(await shop.top_ups(wallet_id)) == 1, "not while it is paused"
    await clock.advance(timedelta(seconds=1))
    await settle(shop)
    await shop.until(wallet_id, "declined", "declined")
    assert (await shop.rule(wallet_id))["resumes_at"] == "2031-06-02T12:05:00.000000Z", "200 s later"
    await clock.advance(timedelta(seconds=200))
    posted(await shop.admin.move("consume", wallet_id, "1"))
    await shop.until(wallet_id, "declined", "declined", "declined")
    rule = await shop.rule(wallet_id)
    assert (rule["pause_reason"], rule["resumes_at"]) == ("too_many_declines", None)
    await clock.advance(timedelta(days=400))
    posted(await shop.admin.move("consume", wallet_id, "1"))
    assert len(await shop.top_ups(wallet_id)) == 3
    assert shop.upstreams.payments == {}

    await shop.set_rule(wallet_id, payment_method="pm-2")
    *_, done = await shop.until(wallet_id, "declined", "declined", "declined", "completed")
    rule = await shop.rule(wallet_id)
    assert (done["amount"], rule["state"], rule["declines"]) == ("93.000000", "active", 0)
    events = await shop.events(wallet_id)
    assert [each for each in events if each.startswith("top_up_rule")] == [
        "top_up_rule.created",
        "top_up_rule.paused",
        "top_up_rule.resumed",
        "top_up_rule.paused",
        "top_up_rule.resumed",
        "top_up_rule.paused",
        "top_up_rule.updated",
    ]
    assert events.count("top_up.declined") == 3


async def test_a_success_ends_the_count_of_declines(timed_shop: Shop, clock: SettableClock) -> None:
    shop = timed_shop
    await clock.set(NOON)
    wallet_id = (await shop.admin.wallet("10"))["wallet_id"]
    await shop.work()
    await shop.set_rule(wallet_id, payment_method="pending-1", target=None, amount="100")
    (pending,) = await shop.until(wallet_id, "pending")
    shop.upstreams.payments[pending["payment_id"]]["status"] = "failed"
    await clock.advance(timedelta(seconds=5))
    (failed,) = await shop.until(wallet_id, "declined")
    assert failed["failure"]["code"] == "payment_failed"
    assert (await shop.rule(wallet_id))["declines"] == 1
    await clock.advance(timedelta(hours=1))
    await settle(shop)
    _, pending = await shop.until(wallet_id, "declined", "pending")
    shop.upstreams.payments[pending["payment_id"]]["status"] = "succeeded"
    await clock.advance(timedelta(seconds=5))
    await shop.until(wallet_id, "declined", "completed")
    assert (await shop.rule(wallet_id))["declines"] == 0


@pytest.mark.parametrize("limit", [{"max_charges": 2}, {"max_amount": "25"}], ids=str)
async def test_a_rule_charges_so_often_and_so_much_in_its_window(
    timed_shop: Shop, clock: SettableClock, limit: dict[str, Any]
) -> None:
    shop = timed_shop
    await clock.set(NOON)
    wallet_id = (await shop.admin.wallet("20"))["wallet_id"]
    await shop.work()
    await shop.set_rule(wallet_id, target=None, amount="10", window_s=3600, **limit)
    await shop.until(wallet_id, "completed")
    await clock.set(NOON + timedelta(minutes=10))
    posted(await shop.admin.move("consume", wallet_id, "10"))
    await shop.until(wallet_id, "completed", "completed")
    await clock.set(NOON + timedelta(minutes=20))
    posted(await shop.admin.move("consume", wallet_id, "10"))
    rule = await shop.rule(wallet_id)
    assert (rule["pause_reason"], rule["resumes_at"]) == ("charge_limit", "2031-06-02T13:00:00.000000Z")
    await clock.set(NOON + timedelta(minutes=60, microseconds=-1))
    await settle(shop)
    assert len(await shop.top_ups(wallet_id)) == 2
    await clock.set(NOON + timedelta(minutes=60))
    await settle(shop)
    await shop.until(wallet_id, "completed", "completed", "completed")
    assert (await shop.rule(wallet_id))["state"] == "active"
    await shop.request(wallet_id, "5")
    await shop.until(wallet_id, *["completed"] * 4)
    posted(await shop.admin.move("consume", wallet_id, "15"))
    assert (await shop.rule(wallet_id))["resumes_at"] == "2031-06-02T13:10:00.000000Z", "requests don't count"
    assert len(shop.charged()) == 4


async def test_an_overdraft_beyond_the_limit_is_not_charged(local_shop: Shop) -> None:
    """What is missing to the target is more than may ever be charged: a person has to look."""
    shop = local_shop
    wallet_id = (await shop.admin.wallet("100", credit_limit="1000"))["wallet_id"]
    await shop.set_rule(wallet_id, max_amount="80")
    posted(await shop.admin.move("consume", wallet_id, "90"))
    assert await shop.top_ups(wallet_id) == []
    rule = await shop.rule(wallet_id)
    assert (rule["pause_reason"], rule["resumes_at"]) == ("charge_limit", None)


async def test_a_pending_payment_is_followed(timed_shop: Shop, clock: SettableClock) -> None:
    shop = timed_shop
    await clock.set(NOON)
    wallet_id = (await shop.admin.wallet("1"))["wallet_id"]
    await shop.work()
    await shop.request(wallet_id, payment_method="pending-1")
    (pending,) = await shop.until(wallet_id, "pending")
    payment = shop.upstreams.payments[pending["payment_id"]]
    for pause in (5, 10, 20):
        await until_idle(shop)
        asked = len(shop.upstreams.questions)
        await clock.advance(timedelta(seconds=pause - 1))
        await until_idle(shop)
        assert len(shop.upstreams.questions) == asked
        await clock.advance(timedelta(seconds=1))
        await until_idle(shop)
        assert len(shop.upstreams.questions) == asked + 1
    for _ in range(3):
        await notify(shop, payment)
    await until_idle(shop)
    waiting = "select count(*) from platform.jobs where type = 'advance_top_up' and status = 'queued'"
    assert await shop.database.fetchval(waiting) == 1, "notices start no further chain of looks"
    payment["status"] = "succeeded"
    await notify(shop, payment)
    (done,) = await shop.until(wallet_id, "completed")
    assert done["payment_id"] == pending["payment_id"]
    assert await shop.events(wallet_id) == [
        "top_up.created",
        "top_up.started",
        "top_up.pending",
        "top_up.charged",
        "top_up.completed",
    ]


async def test_notices_in_any_order_and_number_book_once(shop: Shop) -> None:
    wallet_id = (await shop.admin.wallet("1"))["wallet_id"]
    await shop.work()
    await shop.request(wallet_id, payment_method="pending-1")
    (pending,) = await shop.until(wallet_id, "pending")
    payment = shop.upstreams.payments[pending["payment_id"]]
    payment["status"] = "succeeded"
    await asyncio.gather(*(notify(shop, payment, message=f"msg_{count % 3}") for count in range(12)))
    await shop.until(wallet_id, "completed")
    await notify(shop, payment)
    payment["status"] = "pending"
    await notify(shop, payment)
    payment["status"] = "failed"
    await notify(shop, payment)
    await until_idle(shop)
    (done,) = await shop.top_ups(wallet_id)
    assert (done["state"], await shop.admin.balance(wallet_id)) == ("completed", "51.000000")
    assert (await shop.events(wallet_id)).count("top_up.completed") == 1


async def test_a_payment_that_succeeds_after_all_is_deposited(timed_shop: Shop, clock: SettableClock) -> None:
    """Declined as the payment service said, and then it succeeds: what was charged is never lost."""
    shop = timed_shop
    await clock.set(NOON)
    wallet_id = (await shop.admin.wallet("10"))["wallet_id"]
    await shop.work()
    await shop.set_rule(wallet_id, payment_method="failing-1")
    (declined,) = await shop.until(wallet_id, "declined")
    await clock.advance(timedelta(hours=1))
    await shop.set_rule(wallet_id, payment_method="pending-1")
    _, pending = await shop.until(wallet_id, "declined", "pending")
    late = shop.upstreams.payments[declined["payment_id"]]
    late["status"] = "succeeded"
    await notify(shop, late)
    await shop.until(wallet_id, "completed", "pending")
    assert await shop.admin.balance(wallet_id) == "100.000000"
    shop.upstreams.payments[pending["payment_id"]]["status"] = "failed"
    await notify(shop, shop.upstreams.payments[pending["payment_id"]])
    await shop.until(wallet_id, "completed", "declined")


async def test_a_notice_about_another_payment_with_our_reference_books_nothing(local_shop: Shop) -> None:
    shop = local_shop
    wallet_id = (await shop.admin.wallet("1"))["wallet_id"]
    await shop.work()
    top_up = await shop.request(wallet_id, payment_method="declined-1")
    await shop.until(wallet_id, "declined")
    user_id = (await shop.admin.read(wallet_id))["user_id"]
    reference = f"top_up:{top_up['top_up_id']}"
    async with httpx.AsyncClient(base_url=shop.upstreams.url) as http:
        for members in (
            {"amount": "49", "reference": reference},
            {"amount": "50", "reference": "top_up:other"},
            {"amount": "50", "reference": reference, "user_id": "someone"},
        ):
            body = {"user_id": user_id, "currency": "CREDIT", "payment_method": "pm-1"} | members
            payment = (
                await http.post("/api/v1/payments", json=body, headers={"Idempotency-Key": new_id()})
            ).json()
            await notify(shop, payment | {"reference": reference})
            await notify(shop, payment | {"payment_id": "payment-0", "reference": reference})
    await until_idle(shop)
    assert [each["state"] for each in await shop.top_ups(wallet_id)] == ["declined"]
    assert await shop.admin.balance(wallet_id) == "1.000000"


async def test_a_refund_at_the_payment_service_is_recorded_and_not_booked(local_shop: Shop) -> None:
    shop = local_shop
    wallet_id = (await shop.admin.wallet("1"))["wallet_id"]
    await shop.work()
    await shop.request(wallet_id)
    (done,) = await shop.until(wallet_id, "completed")
    payment = shop.upstreams.payments[done["payment_id"]]
    payment["status"] = "refunded"
    await notify(shop, payment)
    (refunded,) = await shop.until(wallet_id, "refunded")
    assert refunded["transaction_id"] == done["transaction_id"]
    assert await shop.admin.balance(wallet_id) == "51.000000"
    posted(await shop.admin.refund(done["transaction_id"]))
    assert await shop.admin.balance(wallet_id) == "1.000000", "the operator books it"


async def test_what_is_given_back_before_the_deposit_is_not_deposited(local_shop: Shop) -> None:
    shop = local_shop
    wallet_id = (await shop.admin.wallet("1"))["wallet_id"]
    await shop.work()
    await shop.set_rule(wallet_id, payment_method="pending-1")
    (pending,) = await shop.until(wallet_id, "pending")
    payment = shop.upstreams.payments[pending["payment_id"]]
    payment["status"] = "refunded"
    await notify(shop, payment)
    (failed,) = await shop.until(wallet_id, "failed")
    assert failed["failure"]["code"] == "payment_refunded"
    assert (await shop.rule(wallet_id))["pause_reason"] == "failed"
    assert await shop.admin.balance(wallet_id) == "1.000000"


async def test_a_wallet_that_closes_meanwhile_leaves_a_failure_that_says_so(local_shop: Shop) -> None:
    shop = local_shop
    wallet_id = (await shop.admin.wallet())["wallet_id"]
    await shop.work()
    await shop.request(wallet_id, payment_method="pending-1")
    (pending,) = await shop.until(wallet_id, "pending")
    assert (await shop.admin.delete(f"/wallets/{wallet_id}")).status_code == 200
    payment = shop.upstreams.payments[pending["payment_id"]]
    payment["status"] = "succeeded"
    await notify(shop, payment)
    (failed,) = await shop.until(wallet_id, "failed")
    assert failed["failure"]["code"] == "wallet_closed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("deposit", "not_needed"),
        ("freeze", "wallet_frozen"),
        ("delete", "rule_deleted"),
    ],
)
async def test_a_top_up_that_is_not_needed_or_allowed_any_more_charges_nothing(
    local_shop: Shop, change: str, code: str
) -> None:
    shop = local_shop
    wallet_id = (await shop.admin.wallet("20"))["wallet_id"]
    await shop.set_rule(wallet_id)
    match change:
        case "deposit":
            posted(await shop.admin.move("deposit", wallet_id, "0.01"))
        case "freeze":
            await shop.admin.patch(f"/wallets/{wallet_id}", {"status": "frozen"})
        case _:
            await shop.admin.delete(f"/wallets/{wallet_id}/top-up-rule")
    await shop.work()
    (cancelled,) = await shop.until(wallet_id, "cancelled")
    assert cancelled["failure"]["code"] == code
    assert shop.upstreams.questions == []


async def test_a_frozen_wallet_is_not_topped_up(local_shop: Shop) -> None:
    shop = local_shop
    wallet_id = (await shop.admin.wallet("100"))["wallet_id"]
    await shop.admin.patch(f"/wallets/{wallet_id}", {"status": "frozen"})
    await shop.set_rule(wallet_id, threshold="100", target="200")
    posted(await shop.admin.move("reward", wallet_id, "0.000001"))
    await shop.admin.send(
        "PUT", f"/wallets/{wallet_id}/top-up-rule", RULE | {"threshold": "150", "target": "200"}
    )
    assert await shop.top_ups(wallet_id) == []
    await shop.admin.patch(f"/wallets/{wallet_id}", {"status": "active"})
    posted(await shop.admin.move("consume", wallet_id, "1"))
    assert len(await shop.top_ups(wallet_id)) == 1


async def test_a_rule_charges_only_while_its_creator_may(local_shop: Shop) -> None:
    shop = local_shop
    revoked, bounded = [(await shop.admin.wallet("100"))["wallet_id"] for _ in range(2)]
    database = shop.api.app.state.database
    for wallet_id, restriction in ((revoked, None), (bounded, Restriction(max_amount=Decimal(85)))):
        key = await shop.api.service("top_ups:write", name=f"of-{wallet_id}", restriction=restriction)
        answer = await key.send("PUT", f"/wallets/{wallet_id}/top-up-rule", RULE)
        assert answer.status_code == 200, answer.text
        posted(await shop.admin.move("consume", wallet_id, "90"))
    key_ids = {each["client_name"]: each["key_id"] for each in await list_keys(database)}
    await revoke_key(database, key_ids[f"of-{revoked}"])
    await shop.work()
    for wallet_id, code in ((revoked, "unauthorized"), (bounded, "forbidden")):
        (cancelled,) = await shop.until(wallet_id, "cancelled")
        assert cancelled["failure"]["code"] == code
    assert (await shop.rule(revoked))["pause_reason"] == "rights_lost"
    assert shop.upstreams.questions == []


async def test_credits_that_expire_can_be_what_crosses(timed_shop: Shop, clock: SettableClock) -> None:
    shop = timed_shop
    await clock.set(NOON)
    wallet_id = (await shop.admin.wallet("10"))["wallet_id"]
    grant = {"amount": "50", "source": "promotion", "expires_in_s": 3600}
    assert (await shop.admin.post(f"/wallets/{wallet_id}/grants", grant)).status_code == 201
    await shop.set_rule(wallet_id)
    await shop.work()
    assert await shop.top_ups(wallet_id) == []
    await clock.advance(timedelta(hours=1))
    await settle(shop)
    (done,) = await shop.until(wallet_id, "completed")
    assert done["amount"] == "90.000000"


async def test_a_job_that_was_cancelled_is_woken(local_shop: Shop) -> None:
    shop = local_shop
    wallet_id = (await shop.admin.wallet("1"))["wallet_id"]
    await shop.request(wallet_id)
    job_id = await shop.database.fetchval(
        "select job_id from billing.top_ups where wallet_id = $1", wallet_id
    )
    answer = await shop.admin.post(f"/jobs/{job_id}/cancel")
    assert answer.status_code < 300, answer.text
    await shop.work()
    await shop.api.app.state.jobs.enqueue("wake_top_ups")
    await shop.until(wallet_id, "completed")
