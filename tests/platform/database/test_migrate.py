import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from conftest import FreshDatabase, TestDatabase
from support.cluster import bare_cluster, create_database
from support.sample_releases import THING, Release, function

from wallet_service import __version__
from wallet_service.platform.database.migrate import (
    DatabaseNewerError,
    MigrationError,
    MigrationReport,
    latest_migration,
    migrate,
)
from wallet_service.platform.database.sql_files import read_sql_files


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
    report = await migrate(empty.dsn, source=release.folder, release="1.2.3")

    assert report == MigrationReport(("schema/0001_things.sql",), ("wallet.helper", "wallet_api.one"), ())
    assert await signatures(admin) == {"wallet.helper()", "wallet_api.one()"}
    recorded = await admin.fetchrow("select number, name, checksum, release from wallet.migrations")
    checksum = read_sql_files(release.folder).migrations[0].checksum
    assert tuple(recorded) == ("0001", "things", checksum, "1.2.3")
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
    await migrate(empty.dsn, source=release.folder)

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
    await migrate(empty.dsn, source=release.folder)
    versions = (
        "select array_agg(xmin::text order by oid) from pg_proc"
        " where pronamespace = 'wallet_api'::regnamespace"
    )
    before = await admin.fetchval(versions)

    assert await migrate(empty.dsn, source=release.folder) == MigrationReport()

    assert await admin.fetchval(versions) == before
    assert await admin.fetchval("select count(*) from wallet.releases") == 1


async def test_runs_at_once_wait_for_each_other(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    reports = await asyncio.gather(*(migrate(empty.dsn, source=release.folder) for _ in range(6)))

    assert sorted(len(report.applied) for report in reports) == [0, 0, 0, 0, 0, 1]
    assert sum(bool(report.functions_replaced) for report in reports) == 1
    assert await admin.fetchval("select count(*) from wallet.releases") == 1


async def test_runs_in_several_databases_of_a_new_cluster_at_once(
    postgres_version: int, release: Release
) -> None:
    cluster = await bare_cluster(postgres_version, "several")
    for number in range(4):
        await create_database(cluster, f"db{number}", template="template0")

    reports = await asyncio.gather(*(migrate(cluster.dsn(f"db{n}"), source=release.folder) for n in range(4)))

    assert [report.applied for report in reports] == [("schema/0001_things.sql",)] * 4


async def test_an_edited_migration_is_refused_by_name(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    await migrate(empty.dsn, source=release.folder)
    release.write("schema/0001_things.sql", THING + "\n-- one more word")
    release.write("schema/0002_more.sql", "create table wallet.more ();")

    with pytest.raises(MigrationError, match=r"0001_things\.sql was edited"):
        await migrate(empty.dsn, source=release.folder)

    assert await admin.fetchval("select to_regclass('wallet.more')") is None


async def test_other_line_ends_are_no_edit(empty: TestDatabase, release: Release) -> None:
    release.write("schema/0001_things.sql", THING + "\n")
    await migrate(empty.dsn, source=release.folder)
    (release.folder / "schema/0001_things.sql").write_bytes(THING.encode() + b"\r\n")

    assert await migrate(empty.dsn, source=release.folder) == MigrationReport()


async def test_all_or_nothing(empty: TestDatabase, admin: asyncpg.Connection, release: Release) -> None:
    release.write("schema/0002_broken.sql", "create table wallet.more ();\ncreate tabel wallet.broken ();")

    with pytest.raises(MigrationError, match=r"schema/0002_broken\.sql, line 2: .*tabel"):
        await migrate(empty.dsn, source=release.folder)

    assert await admin.fetchval("select to_regnamespace('wallet')") is None


@pytest.mark.parametrize(
    ("file", "sql", "message"),
    [
        ("schema/0002_more.sql", "select 1;\nselect\n  1/0;", r"schema/0002_more\.sql: division by zero"),
        (
            "schema/0002_more.sql",
            "select 1;\nselect from wallet.nothing;",
            r"0002_more\.sql, line 2: .*nothing",
        ),
        (
            "schema/0002_more.sql",
            "do $$\nbegin\n  perform 1/0;\nend $$",
            r"schema/0002_more\.sql: division by",
        ),
        ("schema/0002_more.sql", "select 1;\ncommit;", "EXECUTE of transaction commands"),
        (
            "functions/wallet_api/one.sql",
            function("wallet_api.one", "p_one int,\n  p_two nonsense"),
            r"functions/wallet_api/one\.sql.*: type nonsense does not exist",
        ),
        (
            "functions/wallet_api/one.sql",
            function("wallet_api.one", "out p_one int, out p_two int"),
            r"functions/wallet_api/one\.sql: function result type must be record",
        ),
    ],
)
@pytest.mark.parametrize("before", ["nothing", "a release"])
async def test_a_failing_script_is_reported_with_its_file(
    *, empty: TestDatabase, release: Release, file: str, sql: str, message: str, before: str
) -> None:
    if before == "a release":
        await migrate(empty.dsn, source=release.folder, release="0.0.1")
    release.write(file, sql)

    with pytest.raises(MigrationError, match=message):
        await migrate(empty.dsn, source=release.folder)


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

    assert (await migrate(dsn, source=release.folder)).applied == ("schema/0001_things.sql",)
    assert await migrate(dsn, source=release.folder) == MigrationReport()
    release.write("functions/wallet_api/one.sql", function("wallet_api.one", "p_one int", "select 'two'"))
    release.write("schema/0002_more.sql", "create table wallet.more ();")
    assert (await migrate(dsn, source=release.folder)).applied == ("schema/0002_more.sql",)
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
    await migrate(empty.dsn, source=release.folder)
    member = await make_role("login in role wallet_owner")
    release.write("schema/0002_more.sql", "create table wallet.more ();")

    report = await migrate(empty.cluster.dsn(empty.name, member), source=release.folder)

    assert report.applied == ("schema/0002_more.sql",)
    assert (
        await admin.fetchval("select pg_get_userbyid(relowner) from pg_class where relname = 'more'")
        == "wallet_owner"
    )


async def test_a_missing_privilege_is_reported(
    empty: TestDatabase, release: Release, make_role: Callable[[str], Awaitable[str]]
) -> None:
    stranger = await make_role("login")

    with pytest.raises(MigrationError, match="grant wallet_owner to"):
        await migrate(empty.cluster.dsn(empty.name, stranger), source=release.folder)


async def test_a_schema_of_another_program_is_left_alone(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    await admin.execute("create schema wallet_api")

    with pytest.raises(MigrationError, match="schema wallet_api already, and it belongs to postgres"):
        await migrate(empty.dsn, source=release.folder)


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
    await migrate(empty.dsn, source=release.folder)
    reader = await make_role("nologin")
    await admin.execute(f"grant execute on function wallet_api.one() to {reader} with grant option")
    release.write(
        "functions/wallet_api/one.sql", function("wallet_api.one", arguments, "select '1'::json", returns)
    )
    if returns == "text":
        release.write("functions/wallet_api/one.sql", function("wallet_api.one", arguments))

    await migrate(empty.dsn, source=release.folder)

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
    release.write("functions/wallet_api/one.sql", function("wallet_api.one", "p_old int"))
    await migrate(empty.dsn, source=release.folder)
    release.write("functions/wallet_api/one.sql", function("wallet_api.one", "p_new int"))

    await migrate(empty.dsn, source=release.folder)

    assert await admin.fetchval("select wallet_api.one(p_new => 1)") == "one"
    assert await signatures(admin) == {"wallet.helper()", "wallet_api.one(integer)"}


async def test_a_function_in_use_is_not_torn_out(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    await migrate(empty.dsn, source=release.folder)
    await admin.execute("create view public.theirs as select wallet_api.one()")
    release.write("functions/wallet_api/one.sql", function("wallet_api.one", "p_one int"))

    with pytest.raises(MigrationError, match=r"wallet_api\.one\(\) can't be dropped.*theirs"):
        await migrate(empty.dsn, source=release.folder)

    assert await admin.fetchval("select * from public.theirs") == "one"


async def test_an_absent_function_stays_for_one_release(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    release.write("functions/wallet_api/old.sql", function("wallet_api.old"))
    await migrate(empty.dsn, source=release.folder, release="1.0.0")
    await admin.execute("create function wallet_api.theirs() returns text language sql as $$ select 'x' $$")
    release.remove("functions/wallet_api/old.sql")

    report = await migrate(empty.dsn, source=release.folder, release="1.1.0")
    assert report.functions_dropped == ()
    assert "wallet_api.old()" in await signatures(admin)

    report = await migrate(empty.dsn, source=release.folder, release="1.2.0")
    assert report.functions_dropped == ("wallet_api.old()",)
    assert await signatures(admin) == {"wallet.helper()", "wallet_api.one()", "wallet_api.theirs()"}


async def test_a_newer_database_is_refused(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    release.write("schema/0002_more.sql", "create table wallet.more ();")
    await migrate(empty.dsn, source=release.folder, release="1.1.0")
    release.remove("schema/0002_more.sql")
    release.write("functions/wallet_api/one.sql", function("wallet_api.one", body="select 'older'"))

    with pytest.raises(DatabaseNewerError, match="has migration 0002, this release ends at 0001"):
        await migrate(empty.dsn, source=release.folder, release="1.0.0")

    assert await admin.fetchval("select wallet_api.one()") == "one"


async def test_functions_of_a_newer_release_are_not_put_back(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    await migrate(empty.dsn, source=release.folder, release="1.10.0")
    release.write("functions/wallet_api/one.sql", function("wallet_api.one", body="select 'older'"))

    with pytest.raises(
        DatabaseNewerError, match=r"release 1\.10\.0 has migrated this database, this is 1\.9\.0"
    ):
        await migrate(empty.dsn, source=release.folder, release="1.9.0")

    assert await admin.fetchval("select wallet_api.one()") == "one"


@pytest.mark.parametrize("lacks", ["security definer", "set search_path = pg_catalog, pg_temp"])
async def test_an_unsafe_function_is_refused(empty: TestDatabase, release: Release, lacks: str) -> None:
    release.write("functions/wallet_api/one.sql", function("wallet_api.one").replace(lacks, ""))

    with pytest.raises(MigrationError, match=r"wallet_api\.one\(\) is not security definer"):
        await migrate(empty.dsn, source=release.folder)


@pytest.mark.parametrize(
    ("file", "sql", "message"),
    [
        (
            "functions/wallet_api/one.sql",
            function("wallet_api.two"),
            "defines wallet_api.two instead of wallet_api.one",
        ),
        (
            "functions/wallet_api/one.sql",
            function("wallet.one"),
            "defines wallet.one instead of wallet_api.one",
        ),
        ("functions/wallet_api/one.sql", function("wallet_api.one") * 2, "holds 2 statements"),
        ("functions/wallet_api/one.sql", "-- nothing", "holds 0 statements"),
        ("functions/wallet_api/one.sql", "drop table wallet.things", "does not start with create or replace"),
        ("functions/public/one.sql", function("public.one"), "there is no such schema"),
        ("schema/0003_gap.sql", "select 1", "expected number 0002"),
        ("schema/0001_twin.sql", "select 1", "expected number 0002"),
        ("schema/more.sql", "select 1", "the name is not of the form"),
    ],
)
async def test_a_file_is_what_its_name_says(release: Release, file: str, sql: str, message: str) -> None:
    release.write(file, sql)

    with pytest.raises(MigrationError, match=message):
        await migrate("postgresql://nowhere.invalid/", source=release.folder)


async def test_a_missing_server_is_reported_without_the_password(release: Release, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="can't connect") as refusal:
        await migrate(f"postgresql://me:hunter2@/db?host={tmp_path}", source=release.folder)

    assert "hunter2" not in str(refusal.value)


async def test_the_newest_migration(release: Release, tmp_path: Path) -> None:
    assert latest_migration(release.folder) == "0001"
    assert latest_migration(tmp_path / "nothing") == "0000"


async def test_the_template_is_this_release(postgres: TestDatabase, superuser: asyncpg.Connection) -> None:
    assert await superuser.fetchval("select max(number) from wallet.migrations") == latest_migration()
    assert await superuser.fetchval("select release from wallet.releases") == __version__
    assert await migrate(postgres.dsn) == MigrationReport()
