"""Value time beside posting time: balances, statistics and statements by either, against a plain computation."""

import json
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.api import Api, posted, problem
from support.ledger_database import LedgerDatabase

SetClock = Callable[[datetime], Awaitable[None]]

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
SHIFTS = 34
"""How many lengths of a shift wallet.list_shift_lengths has; each is a scan of the index."""


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
    path = f"/wallets/{wallet}/balance"
    now = [
        (await timed_api.admin.get(path, **query)).json()["balance"] for query in ({}, {"by": "effective"})
    ]
    assert now == ["9.000000", "10.000000"]
    late = text(tomorrow + timedelta(microseconds=1))
    refused = problem(
        await timed_api.admin.move("consume", wallet, "1", effective_at=late), "validation_failed"
    )
    assert refused["errors"][0]["pointer"] == "/effective_at"


async def test_by_either_time_as_a_plain_computation_says(timed_api: Api, set_clock: SetClock) -> None:
    chosen = random.Random(14)  # noqa: S311  # a reproducible choice
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


@pytest.mark.parametrize("driver", ["postgres"], indirect=True, scope="session")
async def test_only_rows_that_were_entered_at_another_moment_are_read(
    newest_ledger_database: LedgerDatabase,
) -> None:
    """However many entries a wallet has: the partial index finds the others, and few blocks are read."""
    database = newest_ledger_database.superuser
    wallet = await newest_ledger_database.wallet()
    await newest_ledger_database.bulk(wallet, START, 40_000, timedelta(minutes=1))
    await database.execute("set session_replication_role = replica")  # no trigger that keeps rows as they are
    for shift, place in (("- interval '2 days'", 0), ("+ interval '12 hours'", 70)):
        shifted = await database.execute(
            f"update wallet.wallet_transactions set effective_at = created_at {shift}"
            f" where wallet_id = $1 and wallet_version % 500 = {place}",
            wallet,
        )
        assert shifted == "UPDATE 80"
    await database.execute("reset session_replication_role")
    await database.execute("analyze wallet.wallet_transactions")
    at = START + timedelta(days=14)
    version = 14 * 24 * 60 + 1
    for run in range(8):  # the plan of the first calls is made for their values, that of later ones for any
        async with database.transaction():
            used = "select pg_stat_get_xact_numscans('wallet.wallet_transactions_shift'::regclass)"
            before = await database.fetchval(used)
            (plan,) = json.loads(
                await database.fetchval(
                    "explain (analyze, buffers, format json)"
                    " select * from wallet.read_shifted_totals($1, $2, $3, 40000)",
                    wallet,
                    at,
                    version,
                )
            )
            assert await database.fetchval(used) == before + SHIFTS, run  # and not the primary key
            blocks = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
            assert blocks < (1000 if run == 0 else 250), (run, blocks)  # the first one reads the catalog, too
        found = await database.fetch(
            "select * from wallet.read_shifted_totals($1, $2, $3, 40000)", wallet, at, version
        )
        # Of those entered two days late 6 were effective by then, and of those entered ahead 2 were not.
        assert [(row["transactions"], row["amount"]) for row in found] == [(4, 4)]
        counted = "select count(*) from wallet.wallet_transactions where wallet_id = $1 and {} <= $2"
        by_effect, by_posting = [
            await database.fetchval(counted.format(name), wallet, at)
            for name in ("effective_at", "created_at")
        ]
        assert (by_posting, by_effect) == (version, version + 4)


@pytest.mark.parametrize("driver", ["postgres"], indirect=True, scope="session")
async def test_few_rows_are_read_although_every_row_was_entered_at_another_moment(
    newest_ledger_database: LedgerDatabase,
) -> None:
    """Late by seconds, some by hours, a few by years, some ahead: only rows around the moment are read."""
    database = newest_ledger_database.superuser
    wallet = await newest_ledger_database.wallet()
    await newest_ledger_database.bulk(wallet, START, 20_000, timedelta(minutes=1))
    await database.execute("set session_replication_role = replica")  # no trigger that keeps rows as they are
    await database.execute(
        "update wallet.wallet_transactions set effective_at = created_at + case"
        " when wallet_version % 4000 = 7 then interval '-3 years' when wallet_version % 500 = 5 then interval '-7 hours'"
        " when wallet_version % 1000 = 9 then interval '20 hours' else interval '-13 seconds' end"
        " where wallet_id = $1",
        wallet,
    )
    await database.execute("reset session_replication_role")
    await database.execute("vacuum analyze wallet.wallet_transactions")
    last = "select count(*) from wallet.wallet_transactions where wallet_id = $1 and {} <= $2"
    for minutes in (0, 1, 700, 9_999, 10_000, 19_999, 21_000, -600):
        at = START + timedelta(minutes=minutes, seconds=59)
        version, by_effect = [
            await database.fetchval(last.format(name), wallet, at) for name in ("created_at", "effective_at")
        ]
        query = "select * from wallet.read_shifted_totals($1, $2, $3, 20000)"
        found = await database.fetch(query, wallet, at, version)
        assert sum(row["transactions"] for row in found) == by_effect - version, minutes
    (plan,) = json.loads(
        await database.fetchval(
            "explain (analyze, buffers, format json) select * from wallet.read_shifted_totals($1, $2, 10000, 20000)",
            wallet,
            START + timedelta(minutes=9_999, seconds=30),
        )
    )
    # All rows have 20,000 / 60 = 333 blocks and more than that in the index.
    assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 250


@pytest.mark.parametrize("driver", ["postgres"], indirect=True, scope="session")
async def test_a_shift_is_as_long_as_its_class_says(newest_ledger_database: LedgerDatabase) -> None:
    database = newest_ledger_database.superuser
    lengths = {
        row["shift"]: row["longest"]
        for row in await database.fetch(
            "select shift, extract(epoch from longest)::float8 as longest from wallet.list_shift_lengths()"
        )
    }
    assert len(lengths) == SHIFTS
    for seconds in (1e-6, 3.9, 4, 4.000001, 15.9, 16, 3600, 86_400, 4**10 - 1e-6, 4**10, 4**14, 2e9):
        for sign in (1, -1):
            shift = await database.fetchval(
                "select wallet.find_shift(v.at, v.at - make_interval(secs => $1))"
                " from (values (timestamptz '2026-01-01')) v (at)",
                sign * seconds,
            )
            assert shift * sign > 0
            assert seconds < lengths[shift]
            assert abs(shift) == 1 or seconds >= lengths[shift - sign]


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
