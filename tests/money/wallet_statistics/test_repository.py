"""Statistics, stats and the trial balance against sums over every row."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import pytest
from support.ledger_database import LedgerDatabase, Row, op

from wallet_service.core.errors import ValidationFailed, WalletNotFound
from wallet_service.core.identifiers import new_id
from wallet_service.money.wallet_statistics import repository
from wallet_service.money.wallet_statistics.repository import Period, StatisticsRepository
from wallet_service.platform.database.gateway import Json
from wallet_service.platform.membership.visibility import ALL

START = datetime(2026, 1, 30, 22, 30, tzinfo=UTC)
TICK = timedelta(microseconds=1)
LONG_AGO, FAR_AWAY = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

Totals: TypeAlias = dict[tuple[str, ...], tuple[int, Decimal]]


async def busy_wallet(ledger_database: LedgerDatabase, user: str = "ann", rows: int = 2_700) -> str:
    """A wallet with more rows than two checkpoints, of every kind, over four days and a month's end."""
    dice = random.Random(rows)  # noqa: S311  # a test's data
    wallet, other = await ledger_database.wallet(user), await ledger_database.wallet("other")
    at, left = START, rows
    while left:
        at += dice.choice((TICK, timedelta(seconds=1), timedelta(hours=7)))
        batch = min(left, dice.choice((1, 499, 500)))
        await ledger_database.post(*(some_operation(dice, wallet, other) for _ in range(batch)), at=at)
        left -= batch
    await ledger_database.clock.set(at + timedelta(days=1))
    return wallet


def some_operation(dice: random.Random, wallet: str, other: str) -> Row:
    kind = dice.choice(("deposit", "consume", "reward", "fee", "withdraw", "transfer", "back"))
    amount = f"{dice.randint(1, 10**9)}.{dice.randint(0, 999999):06}"
    if kind == "transfer":
        return op("transfer", wallet, amount, to_wallet_id=other)
    if kind == "back":
        return op("transfer", other, amount, to_wallet_id=wallet)
    members = {"counter_account": f"revenue:usage:{dice.choice('abc')}"} if kind == "consume" else {}
    return op(kind, wallet, amount, **members)


def totals(rows: Iterable[Row], *names: str) -> Totals:
    found: Totals = {}
    for row in rows:
        group = tuple(
            "wallets" if name == "counter_account" and row[name].startswith("wallet:") else row[name]
            for name in names
        )
        count, amount = found.get(group, (0, Decimal(0)))
        found[group] = (count + 1, amount + row["amount"])
    return found


def told(items: Sequence[Row], *names: str) -> Totals:
    answer = {
        tuple(item[name] for name in names): (item["transactions"], Decimal(item["amount"])) for item in items
    }
    assert len(answer) == len(items)
    return answer


def check_flow(flow: Row, rows: Sequence[Row], start: datetime, end: datetime) -> list[Row]:
    """Compare with what every row of one currency says, and return those of the period."""
    within = [row for row in rows if start <= row["created_at"] < end]
    signed = [(row, row["amount"] if row["direction"] == "credit" else -row["amount"]) for row in rows]
    opening = sum((amount for row, amount in signed if row["created_at"] < start), Decimal(0))
    closing = sum((amount for row, amount in signed if row["created_at"] < end), Decimal(0))
    by_direction = totals(within, "direction")
    assert Decimal(flow["opening_balance"]) == opening
    assert Decimal(flow["closing_balance"]) == closing
    assert Decimal(flow["credited"]) == by_direction.get(("credit",), (0, 0))[1]
    assert Decimal(flow["debited"]) == by_direction.get(("debit",), (0, 0))[1]
    assert flow["transactions"] == len(within)
    assert told(flow["by_type"], "transaction_type", "direction") == totals(
        within, "transaction_type", "direction"
    )
    return within


def check_period(currency: Row, rows: Sequence[Row], start: datetime | None, end: datetime | None) -> None:
    start, end = start or LONG_AGO, end or FAR_AWAY
    within = check_flow(currency, rows, start, end)
    assert told(currency["by_counter_account"], "counter_account", "direction") == totals(
        within, "counter_account", "direction"
    )
    if currency["steps"] is None:
        return
    steps = [
        (
            datetime.fromisoformat(step["from"]),
            datetime.fromisoformat(step["to"]) if step["to"] else FAR_AWAY,
            step,
        )
        for step in currency["steps"]
    ]
    assert [steps[0][0], *(step[1] for step in steps)] == [*(step[0] for step in steps), end]
    assert steps[0][0] == start
    for step_start, step_end, step in steps:
        check_flow(step, rows, step_start, step_end)


def text(moment: datetime | None) -> str | None:
    return moment and moment.isoformat()


async def of_wallet(
    ledger_database: LedgerDatabase, wallet: str, start: datetime | None, end: datetime | None, interval: Any
) -> Row:
    answer = await StatisticsRepository(ledger_database.database).of_wallet(
        wallet, None, Period(text(start), text(end), interval)
    )
    read = json.loads(answer)
    assert read["wallet_id"] == wallet
    (currency,) = read["currencies"]
    assert currency["currency"] == "CREDIT"
    return currency


async def test_any_period_is_exact_across_checkpoints_and_at_rows_own_moments(
    ledger_database: LedgerDatabase,
) -> None:
    wallet = await busy_wallet(ledger_database)
    rows = (await ledger_database.rows(wallet))[::-1]
    checkpoints = await ledger_database.superuser.fetch(
        "select distinct wallet_version from wallet.checkpoints where wallet_id = $1 order by 1", wallet
    )
    assert [row["wallet_version"] for row in checkpoints] == [1000, 2000]
    dice = random.Random(1)  # noqa: S311  # a test's data
    moments = sorted({row["created_at"] + shift for row in rows for shift in (-TICK, timedelta(), TICK)})
    periods: list[tuple[Any, Any]] = [(None, None), (None, moments[1]), (moments[1], None), (FAR_AWAY, None)]
    periods += [tuple(sorted(dice.sample(moments, 2))) for _ in range(60)]

    for start, end in periods:
        check_period(await of_wallet(ledger_database, wallet, start, end, None), rows, start, end)


async def test_every_version_has_exact_totals(ledger_database: LedgerDatabase) -> None:
    wallet = await busy_wallet(ledger_database)
    rows = (await ledger_database.rows(wallet))[::-1]

    for version in (0, 1, 499, 500, 501, 999, 1000, 1001, 1499, 1500, 1501, 2000, 2499, 2500, 2699, 2700):
        found = await ledger_database.superuser.fetch(
            "select * from wallet.read_totals_at($1, $2, 2700)", wallet, version
        )
        assert told(
            [dict(row) for row in found], "transaction_type", "direction", "counter_account"
        ) == totals(rows[:version], "transaction_type", "direction", "counter_account")


@pytest.mark.parametrize("interval", ["day", "month"])
async def test_steps_are_exact_and_follow_each_other(ledger_database: LedgerDatabase, interval: str) -> None:
    wallet = await busy_wallet(ledger_database)
    rows = (await ledger_database.rows(wallet))[::-1]
    first, last = rows[0]["created_at"], rows[-1]["created_at"]
    midnight = datetime(2026, 1, 31, tzinfo=UTC)

    for start, end in (
        (first, last),
        (midnight, midnight + timedelta(days=1)),
        (midnight - TICK, midnight + timedelta(days=1) + TICK),
        (first - timedelta(days=40), last + timedelta(days=40)),
        (first, None),
        (FAR_AWAY, None),
    ):
        currency = await of_wallet(ledger_database, wallet, start, end, interval)
        check_period(currency, rows, start, end)
    days = await of_wallet(
        ledger_database, wallet, midnight - TICK, midnight + timedelta(days=1) + TICK, "day"
    )
    assert [step["from"] for step in days["steps"]] == [
        "2026-01-30T23:59:59.999999Z",
        "2026-01-31T00:00:00.000000Z",
        "2026-02-01T00:00:00.000000Z",
    ]


async def test_a_users_statistics_are_those_of_all_their_wallets_by_currency(
    ledger_database: LedgerDatabase,
) -> None:
    wallets = [await busy_wallet(ledger_database, rows=1_050) for _ in range(2)]
    ether = await ledger_database.wallet("ann", "ETH")
    await ledger_database.post(op("deposit", ether, "0.000000000000000001"))
    start, end = START + timedelta(hours=10), START + timedelta(days=2)

    answer = await StatisticsRepository(ledger_database.database).of_user(
        "ann", "ann", Period(text(start), text(end), "day"), ALL
    )

    read = json.loads(answer)
    assert (read["user_id"], [item["currency"] for item in read["currencies"]]) == ("ann", ["CREDIT", "ETH"])
    check_period(read["currencies"][0], (await ledger_database.rows(*wallets))[::-1], start, end)
    whole = json.loads(
        await StatisticsRepository(ledger_database.database).of_user(
            "ann", None, Period(None, None, None), ALL
        )
    )
    assert whole["currencies"][1]["closing_balance"] == "0.000000000000000001"


async def test_mirrored_wallets_stand_apart_in_a_users_statistics(ledger_database: LedgerDatabase) -> None:
    """Totals of both kinds in one currency are never added together, however they are read."""
    money = await ledger_database.wallet("ann", "EUR")
    bank, card = [await ledger_database.wallet("ann", "EUR", keeping="mirrored") for _ in range(2)]
    house = await ledger_database.wallet("ann", "CHF", keeping="mirrored")
    await ledger_database.post(
        op("deposit", money, "5"), op("deposit", bank, "100"), op("withdraw", card, "30"), at=START
    )
    await ledger_database.post(op("withdraw", bank, "7"), op("deposit", house, "900"), at=START + TICK)
    statistics = StatisticsRepository(ledger_database.database)
    start = text(START)

    def amounts(part: list[Row]) -> list[tuple[str, ...]]:
        members = ("currency", "opening_balance", "closing_balance", "credited", "debited")
        return [tuple(each[member] for member in members) for each in part]

    for by in ("posted", "effective"):
        for period in (Period(None, None, None, by), Period(start, None, "day", by)):
            read = json.loads(await statistics.of_user("ann", None, period, ALL))
            assert amounts(read["currencies"]) == [("EUR", "0.00", "5.00", "5.00", "0.00")]
            assert amounts(read["mirrored"]) == [
                ("CHF", "0.00", "900.00", "900.00", "0.00"),
                ("EUR", "0.00", "63.00", "100.00", "37.00"),
            ]
            (euro,) = read["currencies"]
            assert [each["counter_account"] for each in euro["by_counter_account"]] == ["external:deposits"]
            assert {each["counter_account"] for each in read["mirrored"][1]["by_counter_account"]} == {
                "mirrored:deposits",
                "mirrored:withdrawals",
            }
            if period.interval:
                for each in (*read["currencies"], *read["mirrored"]):
                    assert each["steps"][0]["closing_balance"] == each["closing_balance"]
    later = json.loads(await statistics.of_user("ann", None, Period(text(START + TICK), None, None), ALL))
    assert amounts(later["currencies"]) == [("EUR", "5.00", "5.00", "0.00", "0.00")]
    assert amounts(later["mirrored"])[1] == ("EUR", "70.00", "63.00", "0.00", "7.00")
    of_wallet = json.loads(await statistics.of_wallet(bank, None, Period(None, None, None)))
    assert amounts(of_wallet["currencies"]) == [("EUR", "0.00", "93.00", "100.00", "7.00")]
    assert "mirrored" not in of_wallet


async def test_nothing_happened(ledger_database: LedgerDatabase) -> None:
    wallet = await ledger_database.wallet("idle", "JPY")

    answer = json.loads(
        await StatisticsRepository(ledger_database.database).of_user(
            "idle", None, Period(text(START), text(FAR_AWAY), None), ALL
        )
    )

    assert answer["currencies"] == [
        {
            "currency": "JPY",
            "opening_balance": "0",
            "closing_balance": "0",
            "credited": "0",
            "debited": "0",
            "transactions": 0,
            "by_type": [],
            "by_counter_account": [],
            "steps": None,
        }
    ]
    assert wallet
    nobody = await StatisticsRepository(ledger_database.database).of_user(
        "nobody", None, Period(None, None, None), ALL
    )
    assert json.loads(nobody)["currencies"] == []


@pytest.mark.parametrize(
    ("period", "pointer"),
    [
        (Period("2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", None), "/to"),
        (Period("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "day"), "/to"),
        (Period(None, "2026-01-02T00:00:00Z", "day"), "/from"),
        (Period("2025-01-01T00:00:00Z", "2026-01-02T00:00:00.000001Z", "day"), "/interval"),
        (Period("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "month"), "/interval"),
        (Period("2026-01-01T00:00:00Z", None, "hour"), "/interval"),
    ],
)
async def test_periods_that_are_refused(
    ledger_database: LedgerDatabase, period: Period, pointer: str
) -> None:
    wallet = await ledger_database.wallet()

    with pytest.raises(ValidationFailed) as refused:
        await StatisticsRepository(ledger_database.database).of_wallet(wallet, None, period)

    (error,) = refused.value.facts["errors"]
    assert (error["in"], error["pointer"]) == ("query", pointer)


async def test_366_steps_are_not_too_many(ledger_database: LedgerDatabase) -> None:
    wallet = await ledger_database.wallet()
    start = datetime(2024, 1, 1, tzinfo=UTC)

    currency = await of_wallet(ledger_database, wallet, start, start + timedelta(days=366), "day")

    assert len(currency["steps"]) == 366


async def test_others_wallets_are_not_there(ledger_database: LedgerDatabase) -> None:
    wallet = await ledger_database.wallet("ann")
    statistics = StatisticsRepository(ledger_database.database)
    always = Period(None, None, None)

    for attempt in (
        statistics.of_wallet(wallet, "eve", always),
        statistics.of_wallet(new_id(), None, always),
        statistics.of_user("ann", "eve", always, ALL),
    ):
        with pytest.raises(WalletNotFound):
            await attempt


async def test_a_posting_under_way_is_waited_for_when_it_may_count(ledger_database: LedgerDatabase) -> None:
    wallet = await ledger_database.wallet()
    await ledger_database.post(op("deposit", wallet, 1), at=START)
    async with ledger_database.posting(op("deposit", wallet, 5)):
        await ledger_database.clock.set(START + timedelta(hours=1))
        # Open to the present there is nothing to wait for; the posting under way has the time START.
        open_end = await of_wallet(ledger_database, wallet, None, None, None)
        asking = asyncio.create_task(of_wallet(ledger_database, wallet, None, START + TICK, None))
        while not await ledger_database.waiting_for_a_lock():
            assert not asking.done(), "it should have waited for the posting under way"
            await asyncio.sleep(0.005)

    assert Decimal(open_end["closing_balance"]) == 1
    assert Decimal((await asking)["closing_balance"]) == 6


async def test_the_trial_balance_is_zero_at_any_time_while_others_post(
    ledger_database: LedgerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "_WALLETS_A_CALL", 2)
    wallets = [await ledger_database.wallet() for _ in range(7)] + [
        await ledger_database.wallet("ann", "ETH")
    ]
    dice = random.Random(9)  # noqa: S311  # a test's data
    seen: list[dict[tuple[str, str], Decimal]] = []
    written = 0

    def moments() -> set[Decimal | None]:
        return {balances.get(("ETH", "wallets")) for balances in seen}

    async def write() -> None:
        nonlocal written
        while len(moments()) < 5:
            source, target = dice.sample(wallets[:-1], 2)
            await ledger_database.post(
                op("transfer", source, 7, to_wallet_id=target),
                op("deposit", source, dice.randint(1, 9)),
                op("consume", target, "0.5"),
                op("deposit", wallets[-1], "0.25"),
            )
            written += 1

    async def ask() -> None:
        while len(moments()) < 5:
            count, balances = await StatisticsRepository(ledger_database.database).trial_balance()
            assert count == len(wallets)
            seen.append(balances)

    await asyncio.gather(write(), ask())

    for balances in seen:
        for currency in {key[0] for key in balances}:
            assert sum(value for key, value in balances.items() if key[0] == currency) == 0
    _, at_rest = await StatisticsRepository(ledger_database.database).trial_balance()
    held = await ledger_database.superuser.fetchval(
        "select sum(balance) from wallet.wallets where currency = 'CREDIT'"
    )
    assert at_rest["CREDIT", "wallets"] == held
    assert at_rest["CREDIT", "transfers"] == 0
    assert at_rest["CREDIT", "revenue:usage"] == written * Decimal("0.5")
    assert at_rest["ETH", "external:deposits"] == written * Decimal("-0.25")


async def test_the_trial_balance_shows_a_balance_that_is_wrong(ledger_database: LedgerDatabase) -> None:
    wallet = await ledger_database.wallet()
    await ledger_database.post(op("deposit", wallet, 5))
    await ledger_database.superuser.execute(
        "update wallet.wallets set balance = balance + 1 where wallet_id = $1", wallet
    )

    _, balances = await StatisticsRepository(ledger_database.database).trial_balance()

    assert sum(balances.values()) == 1


async def test_service_stats_count_and_sum_every_wallet(ledger_database: LedgerDatabase) -> None:
    in_credit = [await ledger_database.wallet(f"user-{number}") for number in range(4)]
    ether = await ledger_database.wallet("ann", "ETH")
    await ledger_database.post(*(op("deposit", wallet, 3) for wallet in in_credit), op("deposit", ether, 1))
    await ledger_database.superuser.execute(
        "update wallet.wallets set status = 'frozen' where wallet_id = $1", in_credit[0]
    )
    await ledger_database.superuser.execute(
        "update wallet.wallets set locked_balance = 1 where wallet_id = $1", ether
    )

    read = json.loads(await StatisticsRepository(ledger_database.database).of_service())

    assert (read["wallets"], read["ledger_entries"]) == (5, 5)
    of_credit, of_ether = read["currencies"]
    assert Counter(of_credit) == Counter(
        currency="CREDIT",
        keeping="operating",
        wallets=4,
        active=3,
        frozen=1,
        closed=0,
        balance="12.000000",
        locked_balance="0.000000",
        ledger_entries=4,
    )
    assert (of_ether["balance"], of_ether["locked_balance"]) == (f"1.{'0' * 18}", f"1.{'0' * 18}")


async def test_an_empty_ledger_has_stats_and_a_trial_balance(ledger_database: LedgerDatabase) -> None:
    statistics = StatisticsRepository(ledger_database.database)

    assert json.loads(await statistics.of_service())["currencies"] == []
    assert await statistics.trial_balance() == (0, {})


async def test_totals_survive_a_batch_that_passes_a_checkpoint(ledger_database: LedgerDatabase) -> None:
    wallet = await ledger_database.wallet()
    for _ in range(2):
        units = [{"operations": [op("deposit", wallet, 1) for _ in range(501)]}]
        await ledger_database.database.call("post_transactions", units=Json(json.dumps(units)))

    currency = await of_wallet(ledger_database, wallet, None, None, None)

    assert (currency["transactions"], currency["credited"]) == (1002, "1002.000000")
