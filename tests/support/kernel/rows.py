"""The rows of postings: versions, times, checkpoints, and that no role changes them."""

import asyncpg

from support.kernel.harness import Kernel, check, op, refund, transfer, unit


@check
async def versions_and_balances(kernel: Kernel) -> None:
    wallet, other = await kernel.wallet("10"), await kernel.wallet()
    for _ in range(2):
        await kernel.all(
            op("deposit", wallet, "3"),
            op("consume", wallet, "99"),
            op("consume", wallet, "1"),
            op("fee", wallet, "1"),
        )
        await kernel.one(transfer(wallet, other, "0.5"))
    rows = await kernel.rows(
        """
        select wallet_version, trim_scale(balance_before)::text as before, trim_scale(balance_after)::text as after
        from wallet.wallet_transactions where wallet_id = $1 order by wallet_version
        """,
        wallet,
    )
    assert [row["wallet_version"] for row in rows] == list(range(1, 10))
    assert [row["after"] for row in rows] == ["10", "13", "12", "11", "10.5", "13.5", "12.5", "11.5", "11"]
    assert [row["before"] for row in rows[1:]] == [row["after"] for row in rows[:-1]]
    found = await kernel.rows(
        "select last_entry, trim_scale(balance)::text as balance, version from wallet.wallets where wallet_id = $1",
        wallet,
    )
    assert found == [{"last_entry": 9, "balance": "11", "version": 1}]


@check
async def clock_is_read_after_the_locks(kernel: Kernel) -> None:
    """The time of an entry is not the start of its database transaction."""
    wallet = await kernel.wallet("10")
    async with kernel.pool.acquire() as connection, connection.transaction():
        began = await connection.fetchval("select now()")
        asked = await connection.fetchval("select clock_timestamp()")
        assert asked > began
        await kernel.one(op("consume", wallet, "1"), on=connection)
        written = await connection.fetchval(
            "select max(created_at) from wallet.wallet_transactions where wallet_id = $1", wallet
        )
    assert written >= asked


@check
async def time_never_runs_backwards(kernel: Kernel) -> None:
    """A wallet whose newest entry is of tomorrow (the clock was set back) continues from that time."""
    wallet, other = await kernel.wallet("10"), await kernel.wallet("10")
    tomorrow = await kernel.value(
        """
        update wallet.wallets set last_posted_at = clock_timestamp() + interval '1 day'
        where wallet_id = $1 returning last_posted_at
        """,
        wallet,
    )
    await kernel.one(op("consume", wallet, "1"))
    await kernel.one(transfer(other, wallet, "1"))
    await kernel.one(op("consume", other, "1"))
    times = await kernel.rows(
        "select created_at from wallet.wallet_transactions where wallet_id in ($1, $2) order by created_at desc limit 4",
        wallet,
        other,
    )
    assert [row["created_at"] for row in times] == [tomorrow] * 4
    assert (
        await kernel.value("select last_posted_at from wallet.wallets where wallet_id = $1", other)
        == tomorrow
    )


@check
async def checkpoints_are_sums(kernel: Kernel) -> None:
    """At every 1,000th wallet version, also where one call passes several."""
    wallet, other = await kernel.wallet("100000"), await kernel.wallet()
    spent = op("consume", wallet, "2")
    await kernel.all(spent, transfer(wallet, other, "0.01"), refund(spent, "0.5"))
    await kernel.all(*(op("consume", wallet, "1.01") for _ in range(995)))
    assert await kernel.value("select count(*) from wallet.checkpoints where wallet_id = $1", wallet) == 0
    await kernel.all(
        *(op(("fee", "deposit", "reward")[number % 3], wallet, "0.03") for number in range(1001)),
        op("consume", wallet, "1", counter_account="revenue:x"),
    )
    expected = await kernel.rows(
        """
        select c.v as wallet_version, t.transaction_type, t.direction,
          case when t.counter_account like 'wallet:%' then 'wallets' else t.counter_account end as counter_account,
          count(*) as transactions, trim_scale(sum(t.amount)) as amount
        from unnest(array[1000, 2000]) as c (v), wallet.wallet_transactions t
        where t.wallet_id = $1 and t.wallet_version <= c.v group by 1, 2, 3, 4 order by 1, 2, 3, 4
        """,
        wallet,
    )
    written = await kernel.rows(
        """
        select wallet_version, transaction_type, direction, counter_account, transactions, trim_scale(amount) as amount
        from wallet.checkpoints where wallet_id = $1 order by 1, 2, 3, 4
        """,
        wallet,
    )
    assert written == expected
    assert {row["wallet_version"] for row in written} == {1000, 2000}


async def _sqlstate(kernel: Kernel, role: str, statement: str) -> str | None:
    async with kernel.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(f"set local role {role}")
            await connection.execute(statement)
        except asyncpg.PostgresError as error:
            return error.sqlstate
        else:
            return None
        finally:
            await transaction.rollback()


@check
async def ledger_is_append_only(kernel: Kernel) -> None:
    await kernel.wallet("10")
    before = await kernel.state()
    changes = (
        "update wallet.wallet_transactions set amount = amount + 1",
        "update wallet.wallet_transactions set description = 'x' where false",
        "delete from wallet.wallet_transactions",
        "truncate wallet.wallet_transactions",
        "delete from wallet.wallets",
        "truncate wallet.wallets",
    )
    for role, state in (("postgres", "WL003"), ("wallet_owner", "WL003"), ("wallet_service", "42501")):
        for change in changes:
            assert await _sqlstate(kernel, role, change) == state, (role, change)
    assert await kernel.state() == before


@check
async def service_role_calls_and_nothing_else(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    tables = await kernel.rows(
        "select oid::regclass::text as name from pg_class where relnamespace = 'wallet'::regnamespace and relkind = 'r'"
    )
    assert {f"wallet.{name}" for name in ("wallets", "wallet_transactions", "idempotency")} <= {
        table["name"] for table in tables
    }
    for table in tables:
        assert await _sqlstate(kernel, "wallet_service", f"select from {table['name']}") == "42501"
        assert (
            await _sqlstate(kernel, "wallet_service", f"insert into {table['name']} default values")
            == "42501"
        )
    assert await _sqlstate(kernel, "wallet_service", "select wallet.clock()") == "42501"
    async with kernel.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local role wallet_service")
        ((outcome,),) = await kernel.post(unit(op("consume", wallet, "1")), on=connection)
    assert outcome.status == "posted"
