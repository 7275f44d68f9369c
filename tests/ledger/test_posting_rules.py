"""Rules of rooms that the kernel applies to what it would post; through both drivers."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from conftest import FreshDatabase, Locate
from support.database_location import connect
from support.kernel.harness import another_attempt, op, read_outcomes, refund, transfer, unit
from support.ledger import balance, new_wallet
from support.sample_releases import FolderRoom, function

from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.database.migrate import MigrationError, migrate
from wallet_service.platform.database.sql_files import latest_migration, read_sql_files
from wallet_service.rooms import ROOMS

PARAMETERS = "p_operation wallet.operation, p_decision wallet.decision, p_decisions wallet.decision[]"

LIMIT = f"""-- Refuses a debit that would bring the debits of a wallet above its limit.
create or replace function limits.check_limit({PARAMETERS}) returns wallet.decision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_entry wallet.wallet_transactions := p_decision.entries[1];
  v_most numeric := (select l.most from limits.limits l where l.wallet_id = v_entry.wallet_id);
  v_spent numeric;
begin
  select sum(s.amount) into v_spent from (
    select t.amount from wallet.wallet_transactions t where t.wallet_id = v_entry.wallet_id and t.direction = 'debit'
    union all
    select e.amount from unnest(p_decisions) d, unnest(d.entries) e
      where d.fresh and e.wallet_id = v_entry.wallet_id and e.direction = 'debit') s;
  if v_entry.direction = 'debit' and coalesce(v_spent, 0) + v_entry.amount > v_most then
    return wallet.build_refusal('limit_reached', jsonb_build_object('type', p_operation.type, 'limit', v_most::text));
  end if;
  return null;
end $$;
"""


def rule(name: str, body: str) -> str:
    return f"""-- A rule.
create or replace function {name}({PARAMETERS}) returns wallet.decision
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$ begin {body} end $$;
"""


@pytest.fixture
def limits(tmp_path: Path) -> FolderRoom:
    room = FolderRoom(
        name="limits", schema="limits", folder=tmp_path / "limits", posting_rules=("check_limit",)
    )
    number = int(latest_migration(ROOMS)) + 1
    table = "create table limits.limits (wallet_id uuid primary key, most numeric not null);"
    room.write(f"migrations/{number:04}_limits_table.sql", table)
    room.write("check_limit.sql", LIMIT)
    return room


@dataclass
class Ledger:
    """The kernel of a database, by one of the drivers."""

    dsn: str
    database: Database
    superuser: asyncpg.Connection

    async def told(self, *units: dict[str, Any]) -> list[list[str]]:
        """The status of each operation, or the code of its refusal."""
        answer = await self.database.call("post_transactions", units=Json(json.dumps(units)))
        return [
            [outcome.status_or_code for outcome in outcomes] for outcomes in read_outcomes(answer.decode())
        ]

    async def limited(self, most: int) -> str:
        """A new wallet with 100, of which so much may be debited."""
        wallet = await new_wallet(self.database, "100")
        await self.limit(wallet, most)
        return wallet

    async def limit(self, wallet: str, most: int) -> None:
        await self.superuser.execute(
            "insert into limits.limits values ($1, $2) on conflict (wallet_id) do update set most = excluded.most",
            wallet,
            most,
        )


@pytest.fixture
async def ledger(
    limits: FolderRoom, fresh_database: FreshDatabase, locate_database: Locate
) -> AsyncIterator[Ledger]:
    made = await fresh_database()
    place = await locate_database(made)
    superuser = await asyncpg.connect(made.dsn)
    database = await connect(place)
    wallet = await new_wallet(database)  # the session has planned the kernel without the rule
    await migrate(made.dsn, (*ROOMS, limits))
    opened = Ledger(made.dsn, database, superuser)
    assert await opened.told(unit(op("consume", wallet, "1"))) == [["posted"]]
    yield opened
    await database.close()
    await superuser.close()


async def test_a_refusal_is_one_of_the_kernel(ledger: Ledger) -> None:
    wallet = await ledger.limited(10)
    too_much = op("consume", wallet, "11", key="key")

    answer = await ledger.database.call("post_transactions", units=Json(json.dumps([unit(too_much)])))

    ((outcome,),) = read_outcomes(answer.decode())
    assert (outcome.code, outcome.facts) == ("limit_reached", {"type": "consume", "limit": "10"})
    assert await balance(ledger.database, wallet) == 100
    assert await ledger.told(unit(op("deposit", wallet, "50"), op("consume", wallet, "10"))) == [
        ["posted"] * 2
    ]
    await ledger.limit(wallet, 21)
    assert await ledger.told(unit(another_attempt(too_much))) == [
        ["posted"]
    ]  # the refused attempt did not spend the key


async def test_a_rule_sees_what_the_call_has_decided(ledger: Ledger) -> None:
    wallet, other = await ledger.limited(10), await ledger.limited(10)

    assert await ledger.told(
        unit(op("consume", wallet, "6"), op("consume", wallet, "6"), op("consume", wallet, "4")),
        unit(op("consume", other, "7"), transfer(other, wallet, "4"), atomic=True),
        unit(op("consume", other, "8"), dry_run=True),
        unit(op("consume", other, "9")),
        unit(op("consume", other, "2"), dry_run=True),
    ) == [
        ["posted", "limit_reached", "posted"],
        ["batch_aborted", "limit_reached"],
        ["dry_run"],
        ["posted"],
        ["limit_reached"],
    ]
    assert await balance(ledger.database, wallet) == 90
    assert await balance(ledger.database, other) == 91


async def test_what_was_posted_is_answered_without_the_rule(ledger: Ledger) -> None:
    wallet = await ledger.limited(10)
    spent = op("consume", wallet, "10", key="key")
    assert await ledger.told(unit(spent)) == [["posted"]]
    await ledger.limit(wallet, 0)

    assert await ledger.told(
        unit(spent), unit(another_attempt(spent)), unit(another_attempt(spent), dry_run=True)
    ) == [
        ["posted"],
        ["replayed"],
        ["dry_run"],
    ]
    assert await ledger.told(unit(refund(spent, "4")), unit(op("fee", wallet, "1"))) == [
        ["posted"],
        ["limit_reached"],
    ]
    assert await balance(ledger.database, wallet) == 94


async def test_the_kernel_s_own_refusals_come_first(ledger: Ledger) -> None:
    wallet = await ledger.limited(10)
    assert await ledger.told(unit(op("consume", wallet, "101"))) == [["insufficient_funds"]]


async def test_rules_are_called_in_the_order_of_the_rooms_until_one_refuses(
    ledger: Ledger, limits: FolderRoom, tmp_path: Path
) -> None:
    last = FolderRoom(name="last", folder=tmp_path / "last", posting_rules=("check_one", "check_two"))
    # A row of nulls refuses nothing.
    last.write(
        "check_one.sql",
        rule("wallet.check_one", "return row(null, null, null, null, null, null, null)::wallet.decision;"),
    )
    last.write("check_two.sql", rule("wallet.check_two", "return wallet.build_refusal('last', null);"))
    wallet = await ledger.limited(10)

    await migrate(ledger.dsn, (*ROOMS, limits, last))
    assert await ledger.told(unit(op("consume", wallet, "11"), op("consume", wallet, "1"))) == [
        ["limit_reached", "last"]
    ]
    await migrate(ledger.dsn, (*ROOMS, last, limits))
    assert await ledger.told(unit(op("consume", wallet, "11"))) == [["last"]]
    limits_without = FolderRoom(name="limits", schema="limits", folder=limits.folder)
    await migrate(ledger.dsn, (*ROOMS, limits_without))
    assert await ledger.told(unit(op("consume", wallet, "11"))) == [["posted"]]


async def test_no_rule_costs_no_call(any_postgres_dsn: str) -> None:
    """The planner replaces the ledger's own function by its result."""
    connection = await asyncpg.connect(any_postgres_dsn)
    try:
        plan = await connection.fetch(
            "explain (verbose, costs off) select wallet.apply_posting_rules(o, d, array[d])"
            " from (select null::wallet.operation as o, null::wallet.decision as d offset 0) s"
        )
    finally:
        await connection.close()
    assert "apply_posting_rules" not in str(plan)
    assert "NULL::wallet.decision" in str(plan)


def test_a_rule_that_no_file_has_is_refused(tmp_path: Path) -> None:
    room = FolderRoom(name="last", schema="limits", folder=tmp_path, posting_rules=("check_one",))
    with pytest.raises(MigrationError, match=r"declares the posting rule limits\.check_one, and no file has"):
        read_sql_files((*ROOMS, room))
    room.write("check_one.sql", function("wallet_api.check_one"))
    with pytest.raises(MigrationError, match=r"declares the posting rule limits\.check_one, and no file has"):
        read_sql_files((*ROOMS, room))
    room.write("check_one.sql", function("limits.check_one"))
    with pytest.raises(MigrationError, match=r"no file has wallet\.apply_posting_rules, which calls them"):
        read_sql_files([room])


async def test_a_rule_with_other_parameters_is_told(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    made = await fresh_database()
    room = FolderRoom(name="last", folder=tmp_path, posting_rules=("check_one",))
    room.write("check_one.sql", function("wallet.check_one"))
    with pytest.raises(
        MigrationError, match=r"^the posting rule wallet\.check_one is not a function \(wallet"
    ):
        await migrate(made.dsn, (*ROOMS, room))
