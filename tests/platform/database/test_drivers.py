"""What a call does, whichever driver makes it."""

import asyncio
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from conftest import DRIVERS, FreshDatabase, TestDatabase, driver_or_skip
from support.cluster import VERSIONS
from support.database_location import DatabaseLocation, connect, open_location

from wallet_service.core.errors import (
    InternalError,
    Overloaded,
    Unavailable,
    WalletBusy,
    WalletError,
)
from wallet_service.ledger.problems import InsufficientFunds
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.database.translate import PostgresFault

# What a test calls is made here, as superuser, in a database of its own.
FUNCTIONS = """
create function wallet_api.t_same(p_text text) returns text language sql as 'select p_text';
create function wallet_api.t_types(
  p_text text, p_count int, p_flag bool, p_id uuid, p_at timestamptz, p_data jsonb)
  returns text language sql set timezone = 'UTC' as
  $$ select concat_ws('|', p_text, p_count + 1, not p_flag, p_id, p_at, p_data -> 'amount') $$;
create function wallet_api.t_default(p_a text default 'a', p_b text default 'b') returns text language sql as
  $$ select p_a || p_b $$;
create function wallet_api.t_raise(p_state text, p_message text, p_detail text) returns text language plpgsql
  as $$ begin raise exception using errcode = p_state, message = p_message, detail = p_detail; end $$;
create function wallet_api.t_sleep(p_seconds int) returns text language sql as
  $$ select 'slept' from (select pg_catalog.pg_sleep(p_seconds)) as done $$;
create table public.rows (secret text check (secret <> 'hunter2'), place int);
insert into public.rows values ('fine', 1);
create function wallet_api.t_insert(p_secret text) returns text language sql security definer as
  $$ insert into public.rows values (p_secret, 2) returning 'x' $$;
create function wallet_api.t_lock() returns text language sql security definer set lock_timeout = '20ms' as
  $$ select 'locked' from public.rows where place = 1 for update $$;
create function wallet_api.t_wait() returns text language sql security definer as
  $$ select 'waited' from public.rows where place = 1 for update $$;
create function wallet_api.t_session() returns text language sql as
  $$ select pg_catalog.pg_backend_pid()::text $$;
create function wallet_api.t_forbidden() returns text language sql as $$ select '' $$;
revoke execute on function wallet_api.t_forbidden() from public;
"""


@pytest.fixture(scope="module")
async def prepared(any_postgres: TestDatabase) -> AsyncIterator[TestDatabase]:
    connection = await asyncpg.connect(any_postgres.dsn)
    await connection.execute(FUNCTIONS)
    yield any_postgres
    names = await connection.fetch(
        "select oid::regprocedure::text from pg_proc"
        " where proname like 't\\_%' and pronamespace = 'wallet_api'::regnamespace"
    )
    for (signature,) in names:
        await connection.execute(f"drop function {signature}")
    await connection.execute("drop table public.rows")
    await connection.close()


@pytest.fixture
async def admin(prepared: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(prepared.dsn)
    yield connection
    await connection.close()


@pytest.fixture(scope="module", params=[*DRIVERS, "uncached"])
async def location(request: pytest.FixtureRequest, prepared: TestDatabase) -> AsyncIterator[DatabaseLocation]:
    """``uncached``: Postgres without prepared statements."""
    kind = "postgres" if request.param == "uncached" else driver_or_skip(request.param)
    async with open_location(kind, prepared.cluster, prepared.name) as found:
        yield found


@pytest.fixture
async def driver(location: DatabaseLocation, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    uncached = "uncached" in request.node.name
    options = {"statement_cache_size": 0} if uncached else {}
    opened = await connect(location, pool_size=2, timeout_ms=4000, **options)
    yield opened
    await opened.close()


@pytest.fixture
async def hasty(location: DatabaseLocation) -> AsyncIterator[Database]:
    """One connection, and little patience."""
    opened = await connect(location, pool_size=1, timeout_ms=800)
    yield opened
    await opened.close()


def waits(test: Any) -> Any:
    """A test that waits for seconds: on the newest version, with prepared statements, because neither has an effect."""
    newest = pytest.mark.parametrize(
        "postgres_version", VERSIONS[:1], indirect=True, ids=lambda version: f"pg{version}"
    )
    return newest(pytest.mark.parametrize("location", DRIVERS, indirect=True)(test))


async def sleeping(admin: asyncpg.Connection) -> int:
    """The server process of the call to t_sleep, as soon as it sleeps."""
    async with asyncio.timeout(20):
        while True:
            pid = await admin.fetchval(
                "select pid from pg_stat_activity where state = 'active' and wait_event = 'PgSleep'"
                " and datname = current_database()"
            )
            if pid is not None:
                return pid


async def test_every_kind_of_parameter_arrives_as_it_was_sent(driver: Database) -> None:
    answer = await driver.call(
        "t_types",
        text="käse ☃ 🧀",
        count=41,
        flag=False,
        id="0199f0a0-0000-7000-8000-000000000001",
        at="2026-03-01T12:00:00.123456+02:00",
        data=Json('{"amount": 12345678901234567890.123456789012345678}'),
    )

    assert answer.decode() == (
        "käse ☃ 🧀|42|t|0199f0a0-0000-7000-8000-000000000001|2026-03-01 10:00:00.123456+00|"
        "12345678901234567890.123456789012345678"
    )


@pytest.mark.parametrize("text", ["", "a", '{"a": "é\\u0001 \\n"}', "🧀" * 100_000])
async def test_the_answer_is_the_bytes_of_the_text(driver: Database, text: str) -> None:
    answer = await driver.call("t_same", text=text)

    assert type(answer) is bytes
    assert answer == text.encode()


async def test_no_answer_is_null(driver: Database) -> None:
    assert await driver.call("t_same", text=None) == b"null"


async def test_parameters_go_by_name_and_may_be_left_out(driver: Database) -> None:
    assert await driver.call("t_default") == b"ab"
    assert await driver.call("t_default", b="x") == b"ax"
    assert await driver.call("t_default", b="x", a="y") == b"yx"


@pytest.mark.parametrize(
    "name", ["t_same(); drop table x; --", "T_same", "", "public.x", 't"', "1t", "t" * 70]
)
async def test_a_name_is_nothing_else(driver: Database, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        await driver.call(name)
    with pytest.raises(ValueError, match="not a name"):
        await driver.call("t_default", **{name: "x"})


def logged(error: BaseException) -> str:
    """What a log with the traceback shows."""
    return "".join(traceback.format_exception(error))


async def refusal(driver: Database, state: str, message: str = "secret row", detail: str = "") -> WalletError:
    with pytest.raises(WalletError) as refused:
        await driver.call("t_raise", state=state, message=message, detail=detail)
    assert await driver.call("t_same", text="still usable") == b"still usable"
    return refused.value


async def test_a_refusal_comes_with_its_facts(driver: Database) -> None:
    error = await refusal(driver, "WL001", "insufficient_funds", '{"shortfall": "1.50", "wallet_id": "w"}')

    assert type(error) is InsufficientFunds
    assert error.facts == {"shortfall": "1.50", "wallet_id": "w"}


async def test_a_refusal_without_facts(driver: Database) -> None:
    assert (await refusal(driver, "WL001", "insufficient_funds")).facts == {}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("55P03", WalletBusy),
        ("40P01", WalletBusy),
        *(
            (state, Unavailable)
            for state in ("57014", "57P01", "57P02", "57P03", "53300", "53100", "08006", "25006")
        ),
        *((state, InternalError) for state in ("XX000", "22P02", "23514", "P0001", "WL002")),
    ],
)
async def test_every_other_state_is_translated_and_says_nothing_of_the_row(
    driver: Database, state: str, expected: type[WalletError]
) -> None:
    error = await refusal(driver, state, detail="another secret")

    assert type(error) is expected
    assert "secret" not in error.detail
    assert error.facts == {}
    assert isinstance(error.__cause__, PostgresFault)
    assert state in str(error.__cause__)
    assert "another secret" not in logged(error)


async def test_a_check_violation_keeps_the_row_to_itself(driver: Database) -> None:
    with pytest.raises(InternalError) as refused:
        await driver.call("t_insert", secret="hunter2")

    assert "hunter2" not in refused.value.detail
    assert "23514" in str(refused.value.__cause__)
    assert "hunter2" not in str(refused.value.__cause__)
    assert "DETAIL" not in logged(refused.value)


async def test_a_lock_not_to_be_had_is_busy(driver: Database, admin: asyncpg.Connection) -> None:
    async with admin.transaction():
        await admin.execute("select from public.rows where place = 1 for update")
        with pytest.raises(WalletBusy):
            await driver.call("t_lock")

    assert await driver.call("t_lock") == b"locked"


async def test_a_missing_function_names_the_way_out(driver: Database) -> None:
    with pytest.raises(Unavailable, match="run wallet-service migrate"):
        await driver.call("t_of_the_next_release")


@pytest.mark.parametrize("kind", DRIVERS)
async def test_a_missing_schema_names_the_way_out(fresh_database: FreshDatabase, kind: str) -> None:
    empty = await fresh_database(empty=True)
    async with open_location(driver_or_skip(kind), empty.cluster, empty.name) as found:
        driver = await connect(found)
        with pytest.raises(Unavailable, match="run wallet-service migrate"):
            await driver.call("read_health")
        await driver.close()


async def test_a_function_that_is_not_granted_names_the_way_out(driver: Database) -> None:
    with pytest.raises(Unavailable, match="run wallet-service migrate, check the key"):
        await driver.call("t_forbidden")


async def test_a_value_of_the_wrong_type_is_a_fault_of_ours(driver: Database) -> None:
    with pytest.raises(InternalError):
        await driver.call("t_sleep", seconds="one")
    assert await driver.call("t_same", text="still usable") == b"still usable"


@waits
async def test_a_call_that_takes_too_long_is_unavailable(hasty: Database) -> None:
    with pytest.raises(Unavailable):
        await hasty.call("t_sleep", seconds=60)

    assert await hasty.call("t_same", text="next") == b"next"


@waits
async def test_no_free_connection_in_time_is_overload(hasty: Database) -> None:
    """The first has the one connection. The other gives up while its call would have time."""
    first, second = (asyncio.create_task(hasty.call("t_sleep", seconds=60)) for _ in range(2))
    done, _ = await asyncio.wait((first, second), return_when=asyncio.FIRST_COMPLETED)
    assert done == {second}
    assert type(second.exception()) is Overloaded
    with pytest.raises(Unavailable):
        await first

    assert await hasty.call("t_same", text="x") == b"x"


@waits
async def test_the_wait_for_a_turn_is_part_of_the_limit(location: DatabaseLocation) -> None:
    driver = await connect(location, pool_size=1, timeout_ms=3000)
    began = time.monotonic()
    first, second = await asyncio.gather(
        driver.call("t_sleep", seconds=1), driver.call("t_sleep", seconds=60), return_exceptions=True
    )
    assert first == b"slept"
    assert type(second) is Unavailable
    assert time.monotonic() - began < 1 + 3
    await driver.close()


async def test_a_lost_connection_is_unavailable_for_a_call(
    driver: Database, admin: asyncpg.Connection
) -> None:
    under_way = asyncio.create_task(driver.call("t_sleep", seconds=60))
    await admin.execute("select pg_terminate_backend($1)", await sleeping(admin))

    with pytest.raises(Unavailable):
        await under_way
    assert await driver.call("t_same", text="again") == b"again"


@waits
async def test_a_cancelled_caller_gives_its_connection_back(
    hasty: Database, admin: asyncpg.Connection
) -> None:
    under_way = asyncio.create_task(hasty.call("t_sleep", seconds=60))
    await sleeping(admin)
    under_way.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way

    assert await hasty.call("t_same", text="free") == b"free"


async def test_closing_waits_for_calls_under_way(
    location: DatabaseLocation, prepared: TestDatabase, admin: asyncpg.Connection
) -> None:
    observer = await asyncpg.connect(prepared.dsn)
    driver = await connect(location)
    async with admin.transaction():
        await admin.execute("select from public.rows where place = 1 for update")
        under_way = asyncio.create_task(driver.call("t_wait"))
        async with asyncio.timeout(20):
            while not await observer.fetchval("select count(*) from pg_locks where not granted"):
                pass
        closing = asyncio.create_task(driver.close())
        await observer.close()
        assert not closing.done()
    await closing

    assert await under_way == b"waited"
    with pytest.raises(Unavailable):
        await driver.call("t_same", text="x")


async def test_the_driver_logs_nothing_by_itself(driver: Database, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(InternalError):
        await driver.call("t_insert", secret="hunter2")

    assert "hunter2" not in caplog.text


async def test_large_json_keeps_every_digit(driver: Database) -> None:
    amounts = [f"{number}.{'9' * 18}" for number in range(5000)]

    assert json.loads(await driver.call("t_same", text=json.dumps(amounts))) == amounts
