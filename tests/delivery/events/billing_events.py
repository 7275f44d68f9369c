"""Produces the events of billing over REST: grants, schedules, holds, alerts, top-ups, meters and rate cards."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks import Webhook
from support.api import Api
from support.stand_in import StandIn

from wallet_service.core.identifiers import new_id
from wallet_service.platform.jobs.lifespan import running_worker

SECRET = "whsec_bm90aWNlcy1vZi10aGUtcGF5bWVudC1zZXJ2aWNl"
DAY_S = 86_400
LONGEST_S = 60
_RULE = {"threshold": "20", "target": "100", "max_declines": 3, "backoff_s": 3600}


def ok(answer: Any) -> dict[str, Any]:
    assert answer.status_code in (200, 201, 202, 204), answer.text
    return answer.json() if answer.content else {}


async def until(api: Api, path: str, member: str, value: str) -> dict[str, Any]:
    """Wait until a member of what is at a path has this value, and return the whole."""
    async with asyncio.timeout(LONGEST_S):
        while (found := ok(await api.admin.get(path)))[member] != value:  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.02)
    return found


async def now(api: Api) -> datetime:
    return datetime.fromisoformat(ok(await api.admin.get("/test-clock"))["moment"])


async def advance(api: Api, seconds: int) -> None:
    ok(await api.admin.post("/test-clock", {"advance_s": seconds}))


async def new_wallet(api: Api, balance: str | None = None) -> str:
    return (await api.admin.wallet(balance, currency="CREDIT"))["wallet_id"]


async def produce_grants(api: Api) -> None:
    wallet = await new_wallet(api)

    async def grant(**members: Any) -> str:
        body = {"amount": "20", "source": "promotion"} | members
        return ok(await api.admin.post(f"/wallets/{wallet}/grants", body))["grant_id"]

    ok(await api.admin.post(f"/grants/{await grant()}/void", {}))
    await grant(effective_at=(await now(api) + timedelta(hours=1)).isoformat())
    await grant(expires_in_s=7 * DAY_S, notice_s=DAY_S)
    for half_days in (13, 2):  # in the notice, then after the end
        await advance(api, half_days * DAY_S // 2)
        await api.admin.read(wallet)


async def produce_schedules(api: Api) -> None:
    """A schedule that grants twice, so that a part of the first period is carried over to the second."""
    wallet = await new_wallet(api)
    path = f"/wallets/{wallet}/grant-schedules"
    rollover = {"rollover": "percent", "rollover_value": "50"}
    body = {"amount": "100", "source": "plan", "day_of_month": 1, "time_zone": "Europe/Berlin"} | rollover
    schedule = ok(await api.admin.post(path, body))
    path = f"{path}/{schedule['schedule_id']}"
    ok(await api.admin.patch(path, {"rollover": "cap", "rollover_value": "5"}))
    for _ in range(2):
        await advance(api, 32 * DAY_S)
        await api.admin.read(wallet)
    ok(await api.admin.delete(path))


async def produce_holds(api: Api) -> None:
    wallet = await new_wallet(api, "100")

    async def hold() -> str:
        body = {"amount": "10", "expires_in_s": 3600}
        return ok(await api.admin.post(f"/wallets/{wallet}/holds", body))["hold_id"]

    changed = f"/holds/{await hold()}"
    ok(await api.admin.post(f"{changed}/capture", {"amount": "2.5"}))
    ok(await api.admin.post(f"{changed}/extend", {"expires_in_s": 7200}))
    ok(await api.admin.post(f"{changed}/increase", {"amount": "5"}))
    ok(await api.admin.post(f"{changed}/void", {}))
    await hold()
    for seconds in (3400, 300):  # in the notice, then after the end
        await advance(api, seconds)
        await api.admin.read(wallet)


async def produce_alerts(api: Api) -> None:
    """An alert at an amount and one at a percentage: both see the balance fall, be used up and rise."""
    wallet = await new_wallet(api, "100")
    alerts = f"/wallets/{wallet}/alerts"
    created = [
        ok(await api.admin.post(alerts, threshold))["alert_id"]
        for threshold in ({"amount": "20", "hysteresis": "5"}, {"percent": "12.5"})
    ]
    ok(await api.admin.patch(f"{alerts}/{created[0]}", {"name": "running low"}))
    for kind, amount in (("consume", "90"), ("consume", "10"), ("deposit", "100")):
        ok(await api.admin.move(kind, wallet, amount))
    for alert in created:
        ok(await api.admin.delete(f"{alerts}/{alert}"))


async def produce_rates(api: Api) -> None:
    ok(await api.admin.post("/meters", {"meter": "tokens", "unit": "token", "dimensions": ["model"]}))
    graduated = {"model": "graduated", "tiers": [{"up_to": "10", "unit_price": "2"}, {"unit_price": "1"}]}
    card = {"meter": "tokens", "currency": "CREDIT", "prices": [graduated]}
    path = f"/rate-cards/{ok(await api.admin.post('/rate-cards', card))['rate_card_id']}"
    package = {
        "dimensions": {"model": "large"},
        "model": "package",
        "package_size": "10",
        "package_price": "3",
    }
    begin = (await now(api) + timedelta(days=1)).isoformat()
    version = {"effective_at": begin, "prices": [package, {"model": "per_unit", "unit_price": "0.5"}]}
    ok(await api.admin.post(f"{path}/versions", version))
    ok(await api.admin.post(f"{path}/end", {"ends_at": (await now(api) + timedelta(days=2)).isoformat()}))


async def produce_top_ups(api: Api, payments: StandIn) -> None:
    """What becomes of charges, with a worker and a stand-in for the payment service."""
    cancelled = await _start_one_that_is_not_needed(api)
    async with running_worker(api.app.state, api.app.state.settings):
        await until(api, f"/top-ups/{cancelled}", "state", "cancelled")
        await _complete_and_refund(api, payments)
        await _refund_before_the_deposit(api, payments)
        await _decline_by_a_rule(api)


async def _set_rule(api: Api, wallet: str, payment_method: str) -> str:
    """Set the rule of a wallet; its path."""
    path = f"/wallets/{wallet}/top-up-rule"
    ok(await api.admin.send("PUT", path, _RULE | {"payment_method": payment_method}))
    return path


async def _only_top_up(api: Api, wallet: str) -> str:
    (found,) = ok(await api.admin.get(f"/wallets/{wallet}/top-ups"))["items"]
    return found["top_up_id"]


async def _start_one_that_is_not_needed(api: Api) -> str:
    wallet = await new_wallet(api, "20")
    await _set_rule(api, wallet, "pm-1")
    ok(await api.admin.move("deposit", wallet, "50"))
    return await _only_top_up(api, wallet)


async def _request_pending(api: Api) -> dict[str, Any]:
    """A top-up whose payment the payment service has not decided about."""
    body = {"amount": "50", "payment_method": "pending-1", "reference": "order-7", "metadata": {"a": 1}}
    wallet = await new_wallet(api)
    requested = ok(await api.admin.post(f"/wallets/{wallet}/top-ups", body))
    return await until(api, f"/top-ups/{requested['top_up_id']}", "state", "pending")


async def _complete_and_refund(api: Api, payments: StandIn) -> None:
    pending = await _request_pending(api)
    for status, state in (("succeeded", "completed"), ("refunded", "refunded")):
        await _pay(api, payments, pending, status, state)


async def _refund_before_the_deposit(api: Api, payments: StandIn) -> None:
    await _pay(api, payments, await _request_pending(api), "refunded", "failed")


async def _pay(api: Api, payments: StandIn, top_up: dict[str, Any], status: str, state: str) -> None:
    """Give the payment of a top-up a status, send the notice, and wait until the top-up has this state."""
    payment = payments.payments[top_up["payment_id"]]
    payment["status"] = status
    data = {name: payment[name] for name in ("payment_id", "reference")}
    body = json.dumps({"type": "payment.updated", "data": data})
    moment, name = datetime.now(UTC), f"msg_{new_id()}"
    headers = {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(name, moment, body),
    }
    answer = await api.http.post("/api/v1/payments/events", content=body, headers=headers)
    assert answer.status_code == 204, answer.text
    await until(api, f"/top-ups/{top_up['top_up_id']}", "state", state)


async def _decline_by_a_rule(api: Api) -> None:
    """The charge of a rule is declined: it pauses, resumes when the balance is high again, is changed and deleted."""
    wallet = await new_wallet(api, "10")
    rule = await _set_rule(api, wallet, "declined-1")
    await until(api, f"/top-ups/{await _only_top_up(api, wallet)}", "state", "declined")
    await until(api, rule, "state", "paused")
    ok(await api.admin.move("deposit", wallet, "100"))
    await advance(api, 3600)
    await until(api, rule, "state", "active")
    await _set_rule(api, wallet, "pm-2")
    ok(await api.admin.delete(rule))
