"""Histories, balances and postings, as the SQL functions answer them."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from support.ledger_database import LedgerDatabase, Row, oldest_first, op

from wallet_service.core.errors import ValidationFailed, WalletBusy, WalletNotFound
from wallet_service.core.identifiers import new_id
from wallet_service.ledger.problems import TransactionNotFound
from wallet_service.money.statements.repository import Page, Position, StatementRepository
from wallet_service.platform.database.gateway import Json
from wallet_service.platform.membership.visibility import ALL

START = datetime(2026, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
MOST_ROWS = 10_000


def key_of(row: Row) -> tuple[str, int]:
    return str(row["wallet_id"]), row["wallet_version"]


async def walk(
    read: Callable[[Position | None], Awaitable[Page]],
) -> tuple[list[tuple[str, int]], list[int]]:
    """The keys of all rows of a history, page by page, and the pages' sizes."""
    found: list[tuple[str, int]] = []
    sizes: list[int] = []
    position: Position | None = None
    seen: set[Position | None] = set()
    while True:
        assert position not in seen, "the pages go round in a circle"
        seen.add(position)
        page = await read(position)
        items = json.loads(page.items)
        found += map(key_of, items)
        sizes.append(len(items))
        if page.position is None:
            return found, sizes
        position = page.position


async def some_history(ledger_database: LedgerDatabase, seed: int) -> list[str]:
    """Four wallets of ann with rows at few moments, so that many have the same; one of bob."""
    dice = random.Random(seed)  # noqa: S311  # a test's data
    wallets = [await ledger_database.wallet() for _ in range(4)] + [await ledger_database.wallet("bob")]
    at = START
    for _ in range(60):
        at += dice.choice((timedelta(), TICK, timedelta(hours=1)))
        await ledger_database.post(*(some_operation(dice, wallets) for _ in range(dice.randint(1, 4))), at=at)
    return wallets[:4]


def some_operation(dice: random.Random, wallets: list[str]) -> Row:
    source, target = dice.sample(wallets, 2)
    members: dict[str, Any] = {"metadata": {"model": dice.choice("ab"), "n": dice.randint(1, 3)}}
    if dice.random() < 0.3:
        members["reference"] = dice.choice(("x", "y"))
    kind = dice.choice(("deposit", "consume", "reward", "transfer"))
    if kind == "transfer":
        members["to_wallet_id"] = target
    if kind == "consume":
        members["counter_account"] = dice.choice(("revenue:usage", "revenue:usage:b"))
    return op(kind, source, dice.randint(1, 5), **members)


@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_a_users_pages_hold_every_row_once_and_in_order(
    ledger_database: LedgerDatabase, limit: int
) -> None:
    wallets = await some_history(ledger_database, seed=limit)
    repository = StatementRepository(ledger_database.database)

    found, sizes = await walk(
        lambda position: repository.user_page("ann", None, {}, "posted", position, limit, ALL)
    )

    assert found == [key_of(row) for row in await ledger_database.rows(*wallets)]
    assert set(sizes[:-1]) <= {limit}
    assert sizes[-1] > 0


async def test_rows_posted_meanwhile_neither_shift_nor_repeat_a_users_pages(
    ledger_database: LedgerDatabase,
) -> None:
    wallets = await some_history(ledger_database, seed=5)
    before = [key_of(row) for row in await ledger_database.rows(*wallets)]
    repository = StatementRepository(ledger_database.database)

    async def read_and_post(position: Position | None) -> Page:
        page = await repository.user_page("ann", None, {}, "posted", position, 10, ALL)
        await ledger_database.post(*(op("deposit", wallet, 1) for wallet in wallets))
        return page

    found, _ = await walk(read_and_post)

    assert found == before


async def test_a_wallets_pages_go_down_its_versions(ledger_database: LedgerDatabase) -> None:
    wallet = (await some_history(ledger_database, seed=1))[0]
    repository = StatementRepository(ledger_database.database)

    async def read(position: Position | None) -> Page:
        return await repository.wallet_page(wallet, None, {}, "posted", position, 7)

    found, _ = await walk(read)

    last = await ledger_database.superuser.fetchval(
        "select last_entry from wallet.wallets where wallet_id = $1", wallet
    )
    assert found == [(wallet, version) for version in range(last, 0, -1)]


def passes(row: Row, filters: dict[str, Any]) -> bool:
    metadata = {key: str(value) for key, value in json.loads(row["metadata"]).items()}
    return (
        filters.get("type", row["transaction_type"]) == row["transaction_type"]
        and datetime.fromisoformat(filters.get("from", "0001-01-01T00:00:00Z")) <= row["created_at"]
        and row["created_at"] < datetime.fromisoformat(filters.get("to", "9999-01-01T00:00:00Z"))
        and Decimal(filters.get("min_amount", 0)) <= row["amount"] <= Decimal(filters.get("max_amount", 99))
        and filters.get("reference", row["reference"]) == row["reference"]
        and filters.get("counter_account", row["counter_account"]) == row["counter_account"]
        and all(metadata.get(key) == value for key, value in filters.get("metadata", []))
    )


def some_filters(dice: random.Random, rows: list[Row]) -> dict[str, Any]:
    """A few filters that something may pass; the moments are rows' own, to the microsecond."""
    row, other = dice.choice(rows), dice.choice(rows)
    choices = {
        "type": row["transaction_type"],
        "from": min(row["created_at"], other["created_at"]).isoformat(),
        "to": max(row["created_at"], other["created_at"]).isoformat(),
        "min_amount": "2",
        "max_amount": "4",
        "reference": "x",
        "counter_account": row["counter_account"],
        "metadata": [["model", "a"], ["n", "2"]],
    }
    return {name: choices[name] for name in dice.sample(sorted(choices), dice.randint(1, 3))}


async def test_filters_give_what_a_look_at_every_row_gives(ledger_database: LedgerDatabase) -> None:
    dice = random.Random(3)  # noqa: S311  # a test's data
    wallets = await some_history(ledger_database, seed=3)
    rows = await ledger_database.rows(*wallets)
    repository = StatementRepository(ledger_database.database)
    found_something = 0

    for _ in range(60):
        filters = some_filters(dice, rows)
        of_wallet = dice.choice(wallets)

        async def read_user(position: Position | None, wanted: dict[str, Any] = filters) -> Page:
            return await repository.user_page("ann", None, wanted, "posted", position, 5, ALL)

        async def read_wallet(
            position: Position | None, wallet: str = of_wallet, wanted: dict[str, Any] = filters
        ) -> Page:
            return await repository.wallet_page(wallet, None, wanted, "posted", position, 5)

        expected = [row for row in rows if passes(row, filters)]
        found_something += bool(expected)
        assert (await walk(read_user))[0] == list(map(key_of, expected)), filters
        in_wallet = [key_of(row) for row in expected if row["wallet_id"] == of_wallet]
        assert (await walk(read_wallet))[0] == in_wallet, filters
    assert found_something > 20


async def test_a_metadata_filter_compares_text_and_top_level_members_only(
    ledger_database: LedgerDatabase,
) -> None:
    wallet = await ledger_database.wallet()
    metadata = {"number": 1.50, "flag": True, "nothing": None, "inner": {"number": "7"}}
    await ledger_database.post(op("deposit", wallet, 1, metadata=metadata))
    repository = StatementRepository(ledger_database.database)

    async def hits(*pairs: tuple[str, str]) -> int:
        page = await repository.wallet_page(wallet, None, {"metadata": list(pairs)}, "posted", None, 5)
        return len(json.loads(page.items))

    assert await hits(("number", "1.5"), ("flag", "true")) == 1
    assert await hits(("number", "1.5"), ("flag", "false")) == 0
    assert await hits(("nothing", "null")) == 0
    assert await hits(("number", "7")) == 0


COUNTERS = """
select i.indexrelid::regclass::text as name, pg_stat_get_xact_numscans(i.indexrelid) as number
  from pg_index i where i.indrelid = 'wallet.wallet_transactions'::regclass
union all select 'sequential', pg_stat_get_xact_numscans('wallet.wallet_transactions'::regclass)
union all select 'rows', pg_stat_get_xact_tuples_fetched('wallet.wallet_transactions'::regclass)
  + sum(pg_stat_get_xact_tuples_fetched(i.indexrelid))::bigint
  from pg_index i where i.indrelid = 'wallet.wallet_transactions'::regclass
"""


async def reads_of(connection: asyncpg.Connection, query: str, *arguments: Any) -> dict[str, int]:
    """What a call reads of the ledger, as the server counts: scans of each index, sequential ones, rows."""

    async def counters() -> dict[str, int]:
        return {row["name"]: row["number"] for row in await connection.fetch(COUNTERS)}

    async with connection.transaction():
        before = await counters()
        await connection.fetchval(query, *arguments)
        return {name: number - before[name] for name, number in (await counters()).items()}


async def test_history_pages_read_by_primary_key_and_a_bounded_number_of_rows(
    ledger_database: LedgerDatabase,
) -> None:
    wallets = [await ledger_database.wallet() for _ in range(3)]
    for number, wallet in enumerate(wallets):
        await ledger_database.bulk(wallet, START + number * TICK, 12_000, timedelta(seconds=1))
    user = "select wallet_api.list_user_transactions('ann', p_filters => $1, p_limit => 100)"
    one = "select wallet_api.list_wallet_transactions($2, p_filters => $1, p_limit => 100)"
    period = {"from": "2026-01-01T01:00:00Z", "to": "2026-01-01T02:00:00Z"}
    probes = 3 * 14 * 2 + 10  # bisections of 12,000 rows, and a horizon each

    for filters, most in (
        ({}, 3 * 101 + probes),
        (period, 3 * 101 + probes),
        ({"reference": "nothing"}, MOST_ROWS + probes),
        ({"reference": "nothing", **period}, MOST_ROWS + probes),
    ):
        for query, arguments in ((user, ()), (one, (wallets[0],))):
            reads = await reads_of(ledger_database.superuser, query, json.dumps(filters), *arguments)
            assert 100 <= reads.pop("rows") <= most, (filters, query)
            assert {name for name, scans in reads.items() if scans} == {"wallet.wallet_transactions_pkey"}


async def test_rare_rows_are_found_over_short_and_empty_pages(ledger_database: LedgerDatabase) -> None:
    wallets = [await ledger_database.wallet() for _ in range(3)]
    for number, wallet in enumerate(wallets):
        await ledger_database.bulk(
            wallet, START + number * TICK, 12_000 + number, timedelta(seconds=1 + number)
        )
    repository = StatementRepository(ledger_database.database)
    filters = {"metadata": [["n", "7"]]}

    found, sizes = await walk(
        lambda position: repository.user_page("ann", None, filters, "posted", position, 100, ALL)
    )

    expected = [row for row in await ledger_database.rows(*wallets) if json.loads(row["metadata"])["n"] == 7]
    assert found == list(map(key_of, expected))
    assert len(sizes) > 3
    assert max(sizes) < 100


async def test_balance_at_every_moment_is_that_of_the_rows_until_then(
    ledger_database: LedgerDatabase,
) -> None:
    wallet = (await some_history(ledger_database, seed=2))[0]
    rows = oldest_first(await ledger_database.rows(wallet))
    await ledger_database.clock.set(rows[-1]["created_at"] + timedelta(days=1))
    moments = {row["created_at"] + shift for row in rows for shift in (-TICK, timedelta(), TICK)}

    for moment in sorted(moments):
        answer = await ledger_database.read("read_balance_at", wallet_id=wallet, at=moment.isoformat())
        until = [row for row in rows if row["created_at"] <= moment]
        balance = until[-1]["balance_after"] if until else Decimal(0)
        assert Decimal(answer["balance"]) == balance
        assert answer["wallet_version"] == len(until)
        assert answer["locked_balance"] is answer["available_balance"] is answer["credit_limit"] is None


async def test_the_balance_now(ledger_database: LedgerDatabase) -> None:
    wallet = await ledger_database.wallet()
    await ledger_database.post(op("deposit", wallet, "10.5"))
    await ledger_database.superuser.execute(
        "update wallet.wallets set locked_balance = 2 where wallet_id = $1", wallet
    )

    assert await ledger_database.read("read_balance_at", wallet_id=wallet) == {
        "wallet_id": wallet,
        "currency": "CREDIT",
        "balance": "10.500000",
        "locked_balance": "2.000000",
        "available_balance": "8.500000",
        "credit_limit": "1000000000000000.000000",
        "wallet_version": 1,
        "at": None,
    }


async def test_a_moment_to_come_has_no_balance(ledger_database: LedgerDatabase) -> None:
    wallet = await ledger_database.wallet()
    await ledger_database.clock.set(START)

    with pytest.raises(ValidationFailed) as refused:
        await ledger_database.read("read_balance_at", wallet_id=wallet, at=START.isoformat())

    assert refused.value.facts["errors"][0]["pointer"] == "/at"
    await ledger_database.read("read_balance_at", wallet_id=wallet, at=(START - TICK).isoformat())


async def until_waiting(ledger_database: LedgerDatabase, task: "asyncio.Task[Any]") -> None:
    """Until somebody waits for a lock; a task that ends instead is a failure."""
    while not await ledger_database.waiting_for_a_lock():
        assert not task.done(), "it should have waited for the posting under way"
        await asyncio.sleep(0.005)


async def test_a_posting_under_way_is_waited_for_when_it_may_count(ledger_database: LedgerDatabase) -> None:
    wallet = await ledger_database.wallet()
    await ledger_database.post(op("deposit", wallet, 1), at=START)
    async with ledger_database.posting(
        op("deposit", wallet, 5)
    ):  # its time is START, as the clock still shows
        await ledger_database.clock.set(START + timedelta(hours=1))
        asking = asyncio.create_task(
            ledger_database.read("read_balance_at", wallet_id=wallet, at=START.isoformat())
        )
        await until_waiting(ledger_database, asking)

    assert Decimal((await asking)["balance"]) == 6


async def test_a_posting_under_way_is_not_waited_for_when_it_can_not_count(
    ledger_database: LedgerDatabase,
) -> None:
    wallet = await ledger_database.wallet()
    await ledger_database.post(op("deposit", wallet, 1), at=START)
    async with ledger_database.posting(op("deposit", wallet, 5)):
        await ledger_database.clock.set(START + timedelta(hours=1))
        before = await ledger_database.read(
            "read_balance_at", wallet_id=wallet, at=(START - TICK).isoformat()
        )

    assert Decimal(before["balance"]) == 0


async def test_a_posting_that_does_not_end_makes_the_wallet_busy(ledger_database: LedgerDatabase) -> None:
    wallet = await ledger_database.wallet()
    async with ledger_database.posting(op("deposit", wallet, 5)):
        with pytest.raises(WalletBusy):
            await ledger_database.read("read_balance_at", wallet_id=wallet, at=datetime.now(UTC).isoformat())


async def test_asking_for_the_past_keeps_no_lock(ledger_database: LedgerDatabase) -> None:
    wallet = await ledger_database.wallet()
    async with ledger_database.superuser.transaction():
        await ledger_database.superuser.fetchval(
            "select wallet_api.read_balance_at($1, p_at => clock_timestamp() - interval '1 microsecond')",
            wallet,
        )
        units = json.dumps([{"operations": [op("deposit", wallet, 1)]}])
        answer = await ledger_database.database.call("post_transactions", units=Json(units), wait_ms=0)

    assert json.loads(answer)[0][0]["status"] == "posted"


async def test_an_answer_about_a_moment_never_changes_while_others_post(
    ledger_database: LedgerDatabase,
) -> None:
    wallet = await ledger_database.wallet()
    answers: dict[str, Any] = {}
    versions: set[int] = set()
    enough = 8

    async def write() -> None:
        while len(versions) < enough:
            await ledger_database.post(op("deposit", wallet, 1), op("consume", wallet, 2))

    async def ask() -> None:
        while len(versions) < enough:
            at = datetime.now(UTC).isoformat()
            answers[at] = await ledger_database.read("read_balance_at", wallet_id=wallet, at=at)
            versions.add(answers[at]["wallet_version"])

    await asyncio.gather(write(), ask(), ask())

    rows = oldest_first(await ledger_database.rows(wallet))
    assert all(earlier["created_at"] <= later["created_at"] for earlier, later in pairwise(rows))
    for at, answer in answers.items():
        assert answer == await ledger_database.read("read_balance_at", wallet_id=wallet, at=at)
        assert answer["wallet_version"] == sum(
            row["created_at"] <= datetime.fromisoformat(at) for row in rows
        )


async def test_a_posting_is_shown_to_those_whose_wallet_it_touches(ledger_database: LedgerDatabase) -> None:
    mine, theirs = await ledger_database.wallet("ann"), await ledger_database.wallet("bob")
    (transaction,) = await ledger_database.post(op("transfer", mine, 3, to_wallet_id=theirs))
    repository = StatementRepository(ledger_database.database)

    whole = json.loads(await repository.transaction(transaction, None))
    seen_by_bob = json.loads(await repository.transaction(transaction, "bob"))

    assert [leg["balance_after"] for leg in whole["legs"]] == ["-3.000000", "3.000000"]
    assert seen_by_bob["wallet_id"] == theirs
    assert [leg["balance_after"] for leg in seen_by_bob["legs"]] == [None, "3.000000"]
    for name, viewer in ((transaction, "eve"), (new_id(), None)):
        with pytest.raises(TransactionNotFound):
            await repository.transaction(name, viewer)


async def test_others_wallets_are_not_there(ledger_database: LedgerDatabase) -> None:
    wallet = await ledger_database.wallet("ann")
    repository = StatementRepository(ledger_database.database)

    for attempt in (
        repository.balance(wallet, "eve", None, "posted"),
        repository.balance(wallet, "eve", "2026-01-01T00:00:00Z", "posted"),
        repository.balance(new_id(), None, None, "posted"),
        repository.wallet_page(wallet, "eve", {}, "posted", None, 5),
        repository.wallet_page(new_id(), None, {}, "posted", None, 5),
        repository.user_page("ann", "eve", {}, "posted", None, 5, ALL),
    ):
        with pytest.raises(WalletNotFound):
            await attempt
