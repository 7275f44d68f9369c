"""What holds for every function of the service, now and later; read from the catalog and from the files."""

import re
from collections.abc import AsyncIterator

import asyncpg
import pytest
from conftest import FreshDatabase, TestDatabase

from wallet_service.platform.database.postgres import is_read
from wallet_service.platform.database.sql_files import EXPOSED, Function, exposed_functions, read_sql_files
from wallet_service.rooms import ROOMS

FILES = read_sql_files(ROOMS)

UNPINNED = {
    "apply_posting_rules",
    "build_failure",
    "build_fault",
    "build_pattern",
    "build_refusal",
    "build_words",
    "clock",
    "find_book_day",
    "find_booking_day",
    "find_budget_day",
    "find_month_start",
    "find_operation_type",
    "find_shift",
    "format_amount",
    "format_time",
    "group_counter_account",
    "is_shown",
    "is_tier_reached",
    "is_uuid",
    "list_masked_members",
    "list_operation_types",
    "list_shift_lengths",
    "name_period_kind",
    "project_spending",
}
"""Helpers without a search_path of their own, so that the planner can inline them; every caller has one."""

LONGEST_FUNCTION = 80

SCHEMAS = ", ".join(f"'{schema}'" for schema in FILES.schemas)
"""Of the service, for SQL: its own all of them, and all but ``wallet_api`` private."""

OURS = f"in (select oid from pg_namespace where nspname in ({SCHEMAS}))"


@pytest.fixture
async def connection(any_postgres: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(any_postgres.dsn)
    await opened.execute("set search_path = pg_catalog, pg_temp")
    yield opened
    await opened.close()


async def functions(connection: asyncpg.Connection, condition: str) -> list[str]:
    rows = await connection.fetch(
        f"""
        select p.oid::regprocedure::text as signature
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
        where n.nspname in ({SCHEMAS}) and p.prokind = 'f'
          and p.proname not like 't\\_%' -- what other tests are trying
          and ({condition})
        order by 1
        """
    )
    return [row["signature"] for row in rows]


async def test_the_files_and_the_catalog_name_the_same_functions(connection: asyncpg.Connection) -> None:
    present = {
        signature.split("(")[0]
        for signature in await functions(connection, "p.prorettype <> 'trigger'::regtype")
    }

    assert present == {function.qualified for function in FILES.functions}
    assert any(name.startswith("wallet_api.") for name in present)


def test_the_functions_whose_absence_readiness_reports_are_those_of_the_files() -> None:
    exposed = [function.name for function in FILES.functions if function.schema == EXPOSED]
    assert list(exposed_functions(ROOMS)) == sorted(exposed)


async def test_no_name_has_two_functions(connection: asyncpg.Connection) -> None:
    twice = (
        "(select count(*) from pg_proc q where q.pronamespace = p.pronamespace and q.proname = p.proname) > 1"
    )

    assert await functions(connection, twice) == []


async def test_nothing_but_functions(connection: asyncpg.Connection) -> None:
    others = await connection.fetch(
        "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        f" where n.nspname in ({SCHEMAS}) and p.prokind <> 'f'"
        " union all select c.oid::regclass::text from pg_class c"
        " where c.relnamespace = 'wallet_api'::regnamespace"
    )
    assert others == []


@pytest.mark.parametrize(
    "exception",
    [
        "n.nspname = 'wallet_api' and not p.prosecdef",
        "n.nspname <> 'wallet_api' and p.prosecdef",
        "p.proowner <> 'wallet_owner'::regrole",
        "n.nspname = 'wallet_api' and not 'search_path=pg_catalog, pg_temp' = any(coalesce(p.proconfig, '{}'))",
        "n.nspname = 'wallet_api' and (p.prorettype <> 'text'::regtype or p.proretset)",
        "p.provariadic <> 0",
        "0 = any(select grantee from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))))",
        "n.nspname = 'wallet_api' and not has_function_privilege('wallet_service', p.oid, 'execute')",
        "n.nspname <> 'wallet_api' and has_function_privilege('wallet_service', p.oid, 'execute')",
        # An output parameter would be a second shape beside the text.
        "n.nspname = 'wallet_api' and p.proargmodes is not null",
        # Amounts come in as text too: a float or a JSON number has lost its digits before it arrives.
        "n.nspname = 'wallet_api' and 'numeric'::regtype = any(p.proargtypes::oid[])",
        "p.prorettype in ('float4'::regtype, 'float8'::regtype, 'money'::regtype)",
        "p.proargtypes::oid[] && array['float4'::regtype, 'float8'::regtype, 'money'::regtype]::oid[]",
    ],
)
async def test_no_function_is_an_exception(connection: asyncpg.Connection, exception: str) -> None:
    assert await functions(connection, exception) == []


async def test_what_is_cancelled_on_the_server_changes_nothing(connection: asyncpg.Connection) -> None:
    """The driver knows a function that reads by its name, and cancels it after a timeout. It never cancels a write."""
    volatile = await functions(connection, "n.nspname = 'wallet_api' and p.provolatile = 'v'")
    # They wait for postings under way, and change nothing.
    waiting = {"read_balance_at", "read_user_statistics", "read_wallet_statistics"}
    # They let what is due take effect first; where that is cancelled, the next read does it.
    waiting |= {"get_wallet", "read_explanation", "get_grant", "list_grants"}
    waiting |= {"get_alert", "list_alerts", "read_burn_rate"}
    waiting |= {"get_grant_schedule", "list_grant_schedules"}
    waiting |= {"get_hold", "list_holds", "get_credits", "get_limits", "get_top_up_rule"}
    # It writes an entry of the audit trail; a read whose entry was cancelled is refused.
    waiting.add("record_privileged_read")

    for signature in await functions(connection, "n.nspname = 'wallet_api'"):
        name = signature.split("(")[0].removeprefix("wallet_api.")
        assert is_read(name) == (signature not in volatile or name in waiting), name


async def test_helpers_pin_their_search_path_unless_they_are_inlined(connection: asyncpg.Connection) -> None:
    names = ", ".join(f"'{name}'" for name in UNPINNED)
    unpinned = "not 'search_path=pg_catalog, pg_temp' = any(coalesce(p.proconfig, '{}'))"

    assert await functions(connection, f"{unpinned} and p.proname not in ({names})") == []
    # Anything that keeps the planner from inlining makes the exception pointless.
    assert (
        await functions(
            connection, f"p.proname in ({names}) and (l.lanname <> 'sql' or p.proconfig is not null)"
        )
        == []
    )


async def test_columns_hold_no_floats(connection: asyncpg.Connection) -> None:
    assert not await connection.fetch(
        "select table_name, column_name from information_schema.columns"
        f" where table_schema in ({SCHEMAS}) and data_type in ('real', 'double precision', 'money')"
    )


async def tables(connection: asyncpg.Connection) -> list[str]:
    """Every table of the service, the runner's own too."""
    rows = await connection.fetch(
        "select oid::regclass::text as name from pg_class"
        f" where relnamespace {OURS} and relkind in ('r', 'p') order by 1"
    )
    return [row["name"] for row in rows]


async def test_every_table_has_row_level_security_for_all_but_its_owner(
    connection: asyncpg.Connection,
) -> None:
    exceptions = await connection.fetch(
        f"select oid::regclass::text from pg_class where relnamespace {OURS}"
        " and relkind in ('r', 'p') and (not relrowsecurity or relforcerowsecurity"
        "  or relowner <> 'wallet_owner'::regrole)"
    )
    policies = await connection.fetch(
        f"select polname from pg_policy join pg_class c on c.oid = polrelid where relnamespace {OURS}"
    )

    assert exceptions == policies == []


async def test_a_grant_alone_shows_no_row(connection: asyncpg.Connection) -> None:
    names = await tables(connection)
    transaction = connection.transaction()
    await transaction.start()
    try:
        for schema in FILES.schemas:
            await connection.execute(f"grant usage on schema {schema} to anon")
            await connection.execute(f"grant select on all tables in schema {schema} to anon")
        seen: dict[str, list[int]] = {}
        for role in ("wallet_owner", "anon"):
            await connection.execute(f"set local role {role}")
            seen[role] = [await connection.fetchval(f"select count(*) from {name}") for name in names]
            await connection.execute("reset role")
    finally:
        await transaction.rollback()

    assert sum(count > 0 for count in seen["wallet_owner"]) >= 3  # currencies, migrations and releases
    assert seen["anon"] == [0] * len(names)


async def test_row_level_security_leaves_the_owner_s_plans_alone(connection: asyncpg.Connection) -> None:
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("set local role wallet_owner")
        for name in await tables(connection):
            for statement in (f"select * from {name}", f"delete from {name}"):
                plan = await connection.fetch(f"explain (verbose, costs off) {statement}")
                await connection.execute(f"alter table {name} disable row level security")
                assert await connection.fetch(f"explain (verbose, costs off) {statement}") == plan
                await connection.execute(f"alter table {name} enable row level security")
    finally:
        await transaction.rollback()


@pytest.mark.parametrize("function", FILES.functions, ids=lambda function: function.qualified)
class TestFile:
    def test_is_short(self, function: Function) -> None:
        assert function.sql.count("\n") < LONGEST_FUNCTION

    def test_has_no_dynamic_sql(self, function: Function) -> None:
        assert not re.search(r"\bexecute\b", function.sql, re.IGNORECASE)

    def test_raises_nothing_that_rest_retries_for_ever(self, function: Function) -> None:
        assert "40001" not in function.sql
        assert "serialization_failure" not in function.sql.lower()

    def test_says_what_it_is(self, function: Function) -> None:
        assert function.sql.startswith("-- ")


_EVIL = """
create function pg_temp.evil(pg_catalog.text) returns boolean language plpgsql
  as $$ begin raise exception 'ran as %', current_user; end $$;
create domain pg_temp.text as pg_catalog.text check (pg_temp.evil(value));
"""


@pytest.mark.parametrize("pinned", [True, False])
async def test_a_session_can_t_put_its_types_before_ours(
    fresh_database: FreshDatabase, *, pinned: bool
) -> None:
    """The service's login may make temporary types where a database lets it; ours must not be taken for them."""
    found = await fresh_database()
    if not pinned:  # the door that the pin closes
        owner = await asyncpg.connect(found.dsn)
        await owner.execute("alter function wallet_api.import_wallets set search_path = ''")
        await owner.close()
    session = await asyncpg.connect(found.service_dsn)
    await session.execute(_EVIL)
    line = '{"wallet_id": "0199d0a8-0000-7000-8000-0000000000aa", "key": "k", "wallet": {}, "deposit": null}'
    try:
        call = session.fetchval("select wallet_api.import_wallets('c', $1)", f"[{line}]")
        if pinned:
            assert "validation_failed" in await call
        else:
            with pytest.raises(asyncpg.RaiseError, match="ran as wallet_owner"):
                await call
    finally:
        await session.close()
