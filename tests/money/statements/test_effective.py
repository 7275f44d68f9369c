"""Value time beside posting time: balances, statistics and statements by either, against a plain computation."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from support.api import Api, posted, problem

SetClock = Callable[[datetime], Awaitable[None]]

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


async def test_a_deposit_entered_in_march_counts_in_january_by_effective_time(
    timed_api: Api, set_clock: SetClock
) -> None:
    await set_clock(START)
    wallet = (await timed_api.admin.wallet("100"))["wallet_id"]
    await set_clock(datetime(2026, 3, 10, tzinfo=UTC))
    posted(await timed_api.admin.move("deposit", wallet, "7", effective_at="2026-01-20T00:00:00Z"))

    async def balance(**query: str) -> str:
        found = await timed_api.admin.get(f"/wallets/{wallet}/balance", **(query))
        assert found.status_code == 200, found.text
        return found.json()["balance"]

    at = "2026-01-31T23:59:59Z"
    assert (await balance(at=at), await balance(at=at, by="effective")) == ("100.000000", "107.000000")
    january = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
    statistics = f"/wallets/{wallet}/statistics"
    by_posting = (await timed_api.admin.get(statistics, **(january))).json()["currencies"][0]
    by_effect = (await timed_api.admin.get(statistics, **(january | {"by": "effective"}))).json()[
        "currencies"
    ][0]
    assert (by_posting["closing_balance"], by_posting["transactions"]) == ("100.000000", 1)
    assert (by_effect["closing_balance"], by_effect["transactions"]) == ("107.000000", 2)
    history = f"/wallets/{wallet}/transactions"
    found = (await timed_api.admin.get(history, **(january | {"by": "effective"}))).json()["items"]
    assert [entry["amount"] for entry in found] == ["7.000000", "100.000000"]
    csv = await timed_api.admin.send(
        "GET", history, query=january | {"by": "effective"}, headers={"Accept": "text/csv"}
    )
    assert len(csv.text.splitlines()) == 3


async def test_more_than_a_day_ahead_is_refused(timed_api: Api, set_clock: SetClock) -> None:
    await set_clock(START)
    wallet = (await timed_api.admin.wallet("10"))["wallet_id"]
    tomorrow = START + timedelta(days=1)
    posted(await timed_api.admin.move("consume", wallet, "1", effective_at=text(tomorrow)))
    late = text(tomorrow + timedelta(microseconds=1))
    refused = problem(
        await timed_api.admin.move("consume", wallet, "1", effective_at=late), "validation_failed"
    )
    assert refused["errors"][0]["pointer"] == "/effective_at"


async def test_by_either_time_as_a_plain_computation_says(timed_api: Api, set_clock: SetClock) -> None:
    chosen = random.Random(14)
    user = f"user-{chosen.random()}"
    await set_clock(START)
    wallets = [
        (await timed_api.admin.wallet("1000", user_id=user, name=str(n)))["wallet_id"] for n in range(2)
    ]
    for hour in range(1, 60):
        await set_clock(START + timedelta(hours=hour))
        effective = {"effective_at": text(START + timedelta(hours=hour, minutes=chosen.randint(-3000, 1440)))}
        kind, amount = chosen.choice(["deposit", "consume"]), str(chosen.randint(1, 9))
        members = effective if chosen.random() < 0.6 else {}
        posted(await timed_api.admin.move(kind, chosen.choice(wallets), amount, **members))
    await set_clock(START + timedelta(days=10))
    entries = await all_entries(timed_api, f"/users/{user}/transactions", by="posted")
    assert len(entries) == 61
    for name, by in (("created_at", "posted"), ("effective_at", "effective")):
        await lists_are_in_the_order_of(timed_api, user, entries, name, by)
        for hour in (-40, 0, 7, 30, 55, 90):
            moment = START + timedelta(hours=hour)
            await balances_are_sums(timed_api, wallets, entries, name, by, moment)
        await statistics_are_sums(timed_api, user, entries, name, by)


async def all_entries(api: Api, path: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        page = (await api.admin.get(path, **(query | more | {"limit": "7"}))).json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        more = {"cursor": page["next_cursor"]}


async def lists_are_in_the_order_of(
    api: Api, user: str, entries: list[dict[str, Any]], name: str, by: str
) -> None:
    def place(entry: dict[str, Any]) -> tuple[str, str, int]:
        return entry[name], entry["wallet_id"], entry["wallet_version"]

    low, high = text(START + timedelta(hours=5)), text(START + timedelta(hours=50))
    ordered = sorted(entries, key=place, reverse=True)
    path = f"/users/{user}/transactions"
    assert await all_entries(api, path, by=by) == ordered
    inside = [entry for entry in ordered if low <= entry[name] < high]
    assert await all_entries(api, path, by=by, **{"from": low, "to": high}) == inside
    wanted = [entry for entry in ordered if entry["transaction_type"] == "consume"]
    assert await all_entries(api, path, by=by, type="consume") == wanted
    wallet = entries[0]["wallet_id"]
    own = [entry for entry in ordered if entry["wallet_id"] == wallet]
    assert await all_entries(api, f"/wallets/{wallet}/transactions", by=by) == own


def signed(entry: dict[str, Any]) -> Decimal:
    return Decimal(entry["amount"]) * (1 if entry["direction"] == "credit" else -1)


async def balances_are_sums(
    api: Api, wallets: list[str], entries: list[dict[str, Any]], name: str, by: str, moment: datetime
) -> None:
    for wallet in wallets:
        found = await api.admin.get(f"/wallets/{wallet}/balance", at=text(moment), by=by)
        expected = sum(
            signed(entry) for entry in entries if entry["wallet_id"] == wallet and entry[name] <= text(moment)
        )
        assert Decimal(found.json()["balance"]) == expected


async def statistics_are_sums(api: Api, user: str, entries: list[dict[str, Any]], name: str, by: str) -> None:
    low, high = START - timedelta(days=1), START + timedelta(days=3)
    query = {"from": text(low), "to": text(high), "interval": "day", "by": by}
    found = (await api.admin.get(f"/users/{user}/statistics", **(query))).json()["currencies"][0]
    inside = [entry for entry in entries if text(low) <= entry[name] < text(high)]
    assert Decimal(found["opening_balance"]) == sum(signed(e) for e in entries if e[name] < text(low))
    assert Decimal(found["closing_balance"]) == sum(signed(e) for e in entries if e[name] < text(high))
    assert found["transactions"] == len(inside)
    for step in found["steps"]:
        of_step = [entry for entry in inside if step["from"] <= entry[name] < step["to"]]
        assert step["transactions"] == len(of_step)
        assert Decimal(step["debited"]) == -sum(signed(e) for e in of_step if e["direction"] == "debit")
        by_type = {
            (each["transaction_type"], each["direction"]): each["transactions"] for each in step["by_type"]
        }
        assert sum(by_type.values()) == len(of_step)
