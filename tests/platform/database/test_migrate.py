import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from conftest import FreshDatabase, TestDatabase
from support.cluster import bare_cluster, create_database
from support.sample_releases import THING, FolderRoom, Release, function

from wallet_service import __version__
from wallet_service.platform.database.migrate import (
    DatabaseNewerError,
    MigrationError,
    MigrationReport,
    latest_migration,
    migrate,
)
from wallet_service.platform.database.sql_files import read_sql_files
from wallet_service.rooms import ROOMS


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


@pytest.fixture
async def empty(fresh_database: FreshDatabase, postgres_version: int) -> TestDatabase:
    return await fresh_database(version=postgres_version, empty=True)


@pytest.fixture
async def admin(empty: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(empty.dsn)
    yield connection
    await connection.close()


@asynccontextmanager
async def made_role(admin: asyncpg.Connection, options: str) -> AsyncIterator[str]:
    """A role of the cluster that is gone after the test; its objects go with the database."""
    role = f"role_{secrets.token_hex(6)}"
    await admin.execute(f"create role {role} {options}")
    try:
        yield role
    finally:
        await admin.execute(f"reassign owned by {role} to current_user")
        await admin.execute(f"drop owned by {role}")
        await admin.execute(f"drop role {role}")


@pytest.fixture
async def make_role(admin: asyncpg.Connection) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    async with AsyncExitStack() as stack:

        async def make(options: str) -> str:
            return await stack.enter_async_context(made_role(admin, options))

        yield make


async def signatures(admin: asyncpg.Connection) -> set[str]:
    rows = await admin.fetch(
        "select p.oid::regprocedure::text as signature from pg_proc p"
        " where pronamespace in ('wallet'::regnamespace, 'wallet_api'::regnamespace)"
    )
    return {row["signature"] for row in rows}


async def test_a_fresh_database_gets_everything(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    report = await migrate(empty.dsn, release.rooms, release="1.2.3")

    assert report == MigrationReport(("0001_things_table.sql",), ("wallet.helper", "wallet_api.one"), ())
    assert await signatures(admin) == {"wallet.helper()", "wallet_api.one()"}
    recorded = await admin.fetchrow("select number, name, checksum, release from wallet.migrations")
    checksum = read_sql_files(release.rooms).migrations[0].checksum
    assert tuple(recorded) == ("0001", "things_table", checksum, "1.2.3")
    owners = await admin.fetch(
        "select distinct pg_get_userbyid(owner) from ("
        " select relowner from pg_class where relnamespace = 'wallet'::regnamespace union all"
        " select proowner from pg_proc"
        " where pronamespace in ('wallet'::regnamespace, 'wallet_api'::regnamespace)"
        " union all select nspowner from pg_namespace where nspname in ('wallet', 'wallet_api')"
        ") as all_of_it(owner)"
    )
    assert [owner[0] for owner in owners] == ["wallet_owner"]


async def test_the_roles_are_no_logins_and_the_doors_are_closed(
    empty: TestDatabase,
    admin: asyncpg.Connection,
    release: Release,
    make_role: Callable[[str], Awaitable[str]],
) -> None:
    await migrate(empty.dsn, release.rooms)

    assert not await admin.fetchval(
        "select bool_or(rolcanlogin) from pg_roles where rolname in ('wallet_owner', 'wallet_service')"
    )
    nobody = await make_role("login")
    service = await make_role("login in role wallet_service")
    allowed = "select has_function_privilege($1, 'wallet_api.one()', 'execute')"
    assert await admin.fetchval(allowed, service)
    assert not await admin.fetchval(allowed, nobody)
    for role in (nobody, service):
        for privilege in ("usage", "create"):
            assert not await admin.fetchval("select has_schema_privilege($1, 'wallet', $2)", role, privilege)
        assert not await admin.fetchval(
            "select has_function_privilege($1, 'wallet.helper()', 'execute')", role
        )
        assert not await admin.fetchval("select has_table_privilege($1, 'wallet.things', 'select')", role)
    assert not await admin.fetchval("select has_schema_privilege($1, 'wallet_api', 'usage')", nobody)


async def test_a_second_run_changes_nothing(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    await migrate(empty.dsn, release.rooms)
    versions = (
        "select array_agg(xmin::text order by oid) from pg_proc"
        " where pronamespace = 'wallet_api'::regnamespace"
    )
    before = await admin.fetchval(versions)

    assert await migrate(empty.dsn, release.rooms) == MigrationReport()

    assert await admin.fetchval(versions) == before
    assert await admin.fetchval("select count(*) from wallet.releases") == 1


async def test_runs_at_once_wait_for_each_other(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    reports = await asyncio.gather(*(migrate(empty.dsn, release.rooms) for _ in range(6)))

    assert sorted(len(report.applied) for report in reports) == [0, 0, 0, 0, 0, 1]
    assert sum(bool(report.functions_replaced) for report in reports) == 1
    assert await admin.fetchval("select count(*) from wallet.releases") == 1


async def test_runs_in_several_databases_of_a_new_cluster_at_once(
    postgres_version: int, release: Release
) -> None:
    cluster = await bare_cluster(postgres_version, "several")
    for number in range(4):
        await create_database(cluster, f"db{number}", template="template0")

    reports = await asyncio.gather(*(migrate(cluster.dsn(f"db{n}"), release.rooms) for n in range(4)))

    assert [report.applied for report in reports] == [("0001_things_table.sql",)] * 4


async def test_an_edited_migration_is_refused_by_name(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    await migrate(empty.dsn, release.rooms)
    release.write("migrations/0001_things_table.sql", THING + "\n-- one more word")
    release.write("migrations/0002_things_more.sql", "create table wallet.more ();")

    with pytest.raises(MigrationError, match=r"0001_things_table\.sql was edited"):
        await migrate(empty.dsn, release.rooms)

    assert await admin.fetchval("select to_regclass('wallet.more')") is None


async def test_a_number_below_an_applied_one_is_refused_by_name(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    release.write("migrations/0007_things_more.sql", "create table wallet.more ();")
    assert (await migrate(empty.dsn, release.rooms)).applied == (
        "0001_things_table.sql",
        "0007_things_more.sql",
    )
    release.write("migrations/0006_things_late.sql", "create table wallet.late ();")

    with pytest.raises(
        MigrationError,
        match=r"^0006_things_late\.sql is not applied here, and 0007 is: give it a newer number$",
    ):
        await migrate(empty.dsn, release.rooms)

    assert await admin.fetchval("select to_regclass('wallet.late')") is None
    release.remove("migrations/0006_things_late.sql")
    release.write("migrations/0009_things_late.sql", "create table wallet.late ();")
    assert (await migrate(empty.dsn, release.rooms)).applied == ("0009_things_late.sql",)


async def test_a_script_that_this_release_lacks_is_named(empty: TestDatabase, release: Release) -> None:
    release.write("migrations/0002_things_other.sql", "create table wallet.other ();")
    release.write("migrations/0003_things_more.sql", "create table wallet.more ();")
    await migrate(empty.dsn, release.rooms)
    release.remove("migrations/0002_things_other.sql")

    with pytest.raises(
        MigrationError, match=r"^the database has migration 0002_things_other\.sql, which this release lacks$"
    ) as refusal:
        await migrate(empty.dsn, release.rooms)

    assert not isinstance(refusal.value, DatabaseNewerError)


async def test_other_line_ends_are_no_edit(empty: TestDatabase, release: Release) -> None:
    release.write("migrations/0001_things_table.sql", THING + "\n")
    await migrate(empty.dsn, release.rooms)
    (release.room.folder / "migrations/0001_things_table.sql").write_bytes(THING.encode() + b"\r\n")

    assert await migrate(empty.dsn, release.rooms) == MigrationReport()


async def test_all_or_nothing(empty: TestDatabase, admin: asyncpg.Connection, release: Release) -> None:
    release.write(
        "migrations/0002_things_broken.sql", "create table wallet.more ();\ncreate tabel wallet.broken ();"
    )

    with pytest.raises(
        MigrationError, match=r"folder/sql/migrations/0002_things_broken\.sql, line 2: .*tabel"
    ):
        await migrate(empty.dsn, release.rooms)

    assert await admin.fetchval("select to_regnamespace('wallet')") is None


@pytest.mark.parametrize(
    ("file", "sql", "message"),
    [
        (
            "migrations/0002_things_more.sql",
            "select 1;\nselect\n  1/0;",
            r"migrations/0002_things_more\.sql: division by zero",
        ),
        (
            "migrations/0002_things_more.sql",
            "select 1;\nselect from wallet.nothing;",
            r"0002_things_more\.sql, line 2: .*nothing",
        ),
        (
            "migrations/0002_things_more.sql",
            "do $$\nbegin\n  perform 1/0;\nend $$",
            r"migrations/0002_things_more\.sql: division by",
        ),
        ("migrations/0002_things_more.sql", "select 1;\ncommit;", "EXECUTE of transaction commands"),
        (
            "one.sql",
            function("wallet_api.one", "p_one int,\n  p_two nonsense"),
            r"one\.sql.*: type nonsense does not exist",
        ),
        (
            "one.sql",
            function("wallet_api.one", "out p_one int, out p_two int"),
            r"one\.sql: function result type must be record",
        ),
    ],
)
@pytest.mark.parametrize("before", ["nothing", "a release"])
async def test_a_failing_script_is_reported_with_its_file(
    *, empty: TestDatabase, release: Release, file: str, sql: str, message: str, before: str
) -> None:
    if before == "a release":
        await migrate(empty.dsn, release.rooms, release="0.0.1")
    release.write(file, sql)

    with pytest.raises(MigrationError, match=message):
        await migrate(empty.dsn, release.rooms)


async def test_an_ordinary_owner_with_createrole_needs_no_superuser(
    postgres_version: int, release: Release
) -> None:
    cluster = await bare_cluster(postgres_version, "ordinary")
    admin = await asyncpg.connect(cluster.dsn("postgres"))
    try:
        await admin.execute("create role ordinary login createrole")
        await admin.execute("create database theirs owner ordinary")
    finally:
        await admin.close()
    dsn = cluster.dsn("theirs", "ordinary")

    assert (await migrate(dsn, release.rooms)).applied == ("0001_things_table.sql",)
    assert await migrate(dsn, release.rooms) == MigrationReport()
    release.write("one.sql", function("wallet_api.one", "p_one int", "select 'two'"))
    release.write("migrations/0002_things_more.sql", "create table wallet.more ();")
    assert (await migrate(dsn, release.rooms)).applied == ("0002_things_more.sql",)
    theirs = await asyncpg.connect(dsn)
    try:
        assert await theirs.fetchval("select wallet_api.one(1)") == "two"
        assert not await theirs.fetchval("select rolsuper from pg_roles where rolname = 'wallet_owner'")
    finally:
        await theirs.close()


async def test_a_member_of_the_owner_needs_no_createrole(
    empty: TestDatabase,
    admin: asyncpg.Connection,
    release: Release,
    make_role: Callable[[str], Awaitable[str]],
) -> None:
    await migrate(empty.dsn, release.rooms)
    member = await make_role("login in role wallet_owner")
    release.write("migrations/0002_things_more.sql", "create table wallet.more ();")

    report = await migrate(empty.cluster.dsn(empty.name, member), release.rooms)

    assert report.applied == ("0002_things_more.sql",)
    assert (
        await admin.fetchval("select pg_get_userbyid(relowner) from pg_class where relname = 'more'")
        == "wallet_owner"
    )


async def test_a_missing_privilege_is_reported(
    empty: TestDatabase, release: Release, make_role: Callable[[str], Awaitable[str]]
) -> None:
    stranger = await make_role("login")

    with pytest.raises(MigrationError, match="grant wallet_owner to"):
        await migrate(empty.cluster.dsn(empty.name, stranger), release.rooms)


async def test_a_schema_of_another_program_is_left_alone(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    await admin.execute("create schema wallet_api")

    with pytest.raises(MigrationError, match="schema wallet_api already, and it belongs to postgres"):
        await migrate(empty.dsn, release.rooms)


@pytest.mark.parametrize(
    ("arguments", "returns"),
    [
        ("p_one int default 1", "text"),  # one more parameter would be an overload
        ("", "json"),  # another answer can't be replaced in place
    ],
)
async def test_another_signature_makes_no_overload_and_keeps_grants(
    *,
    empty: TestDatabase,
    admin: asyncpg.Connection,
    release: Release,
    make_role: Callable[[str], Awaitable[str]],
    arguments: str,
    returns: str,
) -> None:
    await migrate(empty.dsn, release.rooms)
    reader = await make_role("nologin")
    await admin.execute(f"grant execute on function wallet_api.one() to {reader} with grant option")
    release.write("one.sql", function("wallet_api.one", arguments, "select '1'::json", returns))
    if returns == "text":
        release.write("one.sql", function("wallet_api.one", arguments))

    await migrate(empty.dsn, release.rooms)

    (made,) = await admin.fetch(
        "select oid::regprocedure::text as signature, proacl::text as acl from pg_proc where proname = 'one'"
    )
    assert made["signature"] == f"wallet_api.one({'integer' if arguments else ''})"
    assert f"{reader}=X*/" in made["acl"]
    assert "wallet_service=X/" in made["acl"]
    assert not await admin.fetchval(
        "select has_function_privilege('public', $1, 'execute')", made["signature"]
    )


async def test_another_parameter_name_is_taken_over(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    release.write("one.sql", function("wallet_api.one", "p_old int"))
    await migrate(empty.dsn, release.rooms)
    release.write("one.sql", function("wallet_api.one", "p_new int"))

    await migrate(empty.dsn, release.rooms)

    assert await admin.fetchval("select wallet_api.one(p_new => 1)") == "one"
    assert await signatures(admin) == {"wallet.helper()", "wallet_api.one(integer)"}


async def test_a_group_has_a_schema_of_its_own(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release, tmp_path: Path
) -> None:
    bills = FolderRoom(name="bills", schema="billing", module="made_up.bills.room", folder=tmp_path / "bills")
    bills.write("migrations/0002_bills_table.sql", "create table billing.bills (bill_id int);")
    bills.write("list_bills.sql", function("wallet_api.list_bills", body="select billing.format_bill()"))
    bills.write("format_bill.sql", function("billing.format_bill", body="select 'a bill'"))
    rooms = [release.room, bills]

    report = await migrate(empty.dsn, rooms)

    assert "billing.format_bill" in report.functions_replaced
    assert await admin.fetchval("select wallet_api.list_bills()") == "a bill"
    state = (
        "select nspowner::regrole::text, relowner::regrole::text, proowner::regrole::text, relrowsecurity,"
        " nspacl is null, relacl is null, array(select grantee::regrole::text from aclexplode(proacl))"
        " from pg_namespace n, pg_class c, pg_proc p"
        " where nspname = 'billing' and c.relnamespace = n.oid and p.pronamespace = n.oid"
    )
    was = await admin.fetchrow(state)
    assert tuple(was) == ("wallet_owner", "wallet_owner", "wallet_owner", True, True, True, ["wallet_owner"])

    await admin.execute(
        "grant usage on schema billing to public; grant select on billing.bills to public;"
        " grant execute on function billing.format_bill to public;"
        " alter table billing.bills disable row level security"
    )
    assert await migrate(empty.dsn, rooms) == MigrationReport()
    now = await admin.fetchrow(state)
    assert now["relrowsecurity"]
    granted = (
        "select acl.grantee from pg_namespace n, aclexplode(nspacl) acl where nspname = 'billing' union"
        " select acl.grantee from pg_class c, aclexplode(relacl) acl where relname = 'bills' union"
        " select acl.grantee from pg_proc p, aclexplode(proacl) acl where proname = 'format_bill'"
    )
    assert await admin.fetch(f"{granted} except select 'wallet_owner'::regrole") == []


@pytest.mark.parametrize("schema", ["public", "pg_catalog", "wallet_api", "Billing", "information_schema"])
def test_a_schema_of_others_is_no_room_s(tmp_path: Path, schema: str) -> None:
    with pytest.raises(MigrationError, match=f"room bills: {schema} can't be the schema of a room"):
        read_sql_files([FolderRoom(name="bills", schema=schema, folder=tmp_path)])


async def test_a_function_in_use_is_not_torn_out(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    await migrate(empty.dsn, release.rooms)
    await admin.execute("create view public.theirs as select wallet_api.one()")
    release.write("one.sql", function("wallet_api.one", "p_one int"))

    with pytest.raises(MigrationError, match=r"wallet_api\.one\(\) can't be dropped.*theirs"):
        await migrate(empty.dsn, release.rooms)

    assert await admin.fetchval("select * from public.theirs") == "one"


async def test_an_absent_function_stays_for_one_release(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    release.write("old.sql", function("wallet_api.old"))
    await migrate(empty.dsn, release.rooms, release="1.0.0")
    await admin.execute("create function wallet_api.theirs() returns text language sql as $$ select 'x' $$")
    release.remove("old.sql")

    report = await migrate(empty.dsn, release.rooms, release="1.1.0")
    assert report.functions_dropped == ()
    assert "wallet_api.old()" in await signatures(admin)

    report = await migrate(empty.dsn, release.rooms, release="1.2.0")
    assert report.functions_dropped == ("wallet_api.old()",)
    assert await signatures(admin) == {"wallet.helper()", "wallet_api.one()", "wallet_api.theirs()"}


async def test_a_newer_database_is_refused(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    release.write("migrations/0002_things_more.sql", "create table wallet.more ();")
    await migrate(empty.dsn, release.rooms, release="1.1.0")
    release.remove("migrations/0002_things_more.sql")
    release.write("one.sql", function("wallet_api.one", body="select 'older'"))

    with pytest.raises(DatabaseNewerError, match="has migration 0002, this release ends at 0001"):
        await migrate(empty.dsn, release.rooms, release="1.0.0")

    assert await admin.fetchval("select wallet_api.one()") == "one"


async def test_functions_of_a_newer_release_are_not_put_back(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    await migrate(empty.dsn, release.rooms, release="1.10.0")
    release.write("one.sql", function("wallet_api.one", body="select 'older'"))

    with pytest.raises(
        DatabaseNewerError, match=r"release 1\.10\.0 has migrated this database, this is 1\.9\.0"
    ):
        await migrate(empty.dsn, release.rooms, release="1.9.0")

    assert await admin.fetchval("select wallet_api.one()") == "one"


@pytest.mark.parametrize("lacks", ["security definer", "set search_path = pg_catalog, pg_temp"])
async def test_an_unsafe_function_is_refused(empty: TestDatabase, release: Release, lacks: str) -> None:
    release.write("one.sql", function("wallet_api.one").replace(lacks, ""))

    with pytest.raises(MigrationError, match=r"wallet_api\.one\(\) is not security definer"):
        await migrate(empty.dsn, release.rooms)


@pytest.mark.parametrize(
    ("file", "sql", "message"),
    [
        ("one.sql", function("wallet_api.two"), "folder/sql/one.sql: holds no function of the file's name"),
        ("one.sql", "-- nothing", "holds no function of the file's name"),
        ("one.sql", function("wallet_api.one") * 2, "both define a function one"),
        (
            "two.sql",
            function("wallet_api.two") + function("wallet.one"),
            "two.sql and .*one.sql both define a function one",
        ),
        (
            "two.sql",
            function("wallet_api.two") + "\ndrop table wallet.things",
            "two.sql, line 7: this is not create or replace",
        ),
        (
            "two.sql",
            function("billing.two"),
            "two.sql, line 2: a function of this room is in wallet or wallet_api",
        ),
        (
            "migrations/0001_things_twin.sql",
            "select 1",
            "0001_things_twin.sql has the number of .*0001_things_table.sql",
        ),
        (
            "migrations/0002_others_more.sql",
            "select 1",
            "the name is not of the form 0001_things_what_it_does.sql",
        ),
        ("migrations/more.sql", "select 1", "the name is not of the form"),
    ],
)
async def test_a_file_is_what_its_name_says(release: Release, file: str, sql: str, message: str) -> None:
    release.write(file, sql)

    with pytest.raises(MigrationError, match=message):
        await migrate("postgresql://nowhere.invalid/", release.rooms)


def test_two_rooms_have_no_number_and_no_name_twice(release: Release, tmp_path: Path) -> None:
    other = FolderRoom(name="other", module="made_up.other.room", folder=tmp_path / "other")
    other.write("migrations/0001_other_table.sql", "create table wallet.other ();")
    with pytest.raises(
        MigrationError, match=r"other/sql/migrations/0001_other_table\.sql has the number of folder/sql"
    ):
        read_sql_files([release.room, other])
    other.remove("migrations/0001_other_table.sql")
    other.write("one.sql", function("wallet.one"))
    with pytest.raises(
        MigrationError, match=r"other/sql/one\.sql and folder/sql/one\.sql both define a function one"
    ):
        read_sql_files([release.room, other])


def test_a_file_may_hold_several_functions(release: Release) -> None:
    head = "-- The file's own comment: not a part of any function.\n\n"
    first, second = function("wallet_api.one"), function("wallet.two")
    release.write("one.sql", f"{head}{first}\n{second}-- the end\n")

    found = {
        each.name: (each.schema, each.line, each.sql) for each in read_sql_files(release.rooms).functions
    }

    assert found["one"] == ("wallet_api", 3, first)
    assert found["two"] == ("wallet", 9, second)


async def test_a_missing_server_is_reported_without_the_password(release: Release, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="can't connect") as refusal:
        await migrate(f"postgresql://me:hunter2@/db?host={tmp_path}", release.rooms)

    assert "hunter2" not in str(refusal.value)


async def test_the_newest_migration(release: Release, tmp_path: Path) -> None:
    assert latest_migration(release.rooms) == "0001"
    assert latest_migration([FolderRoom(name="nothing", folder=tmp_path / "nothing")]) == "0000"


async def test_the_template_is_this_release(postgres: TestDatabase, superuser: asyncpg.Connection) -> None:
    assert await superuser.fetchval("select max(number) from wallet.migrations") == latest_migration(ROOMS)
    assert await superuser.fetchval("select release from wallet.releases") == __version__
    assert await migrate(postgres.dsn, ROOMS) == MigrationReport()
