"""What the roles of a Supabase project can and can't do: each tried for real, where the project's owner has migrated."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import asyncpg
import pytest
from conftest import FreshDatabase, TestDatabase
from support.cluster import SERVICE_LOGIN, Cluster, bare_cluster, create_database
from support.supabase_project import OWNER, create_project, project_cluster

from wallet_service.platform.database.migrate import MigrationReport, migrate
from wallet_service.platform.database.script import migration_script
from wallet_service.rooms import ROOMS

Refused = asyncpg.InsufficientPrivilegeError

CALLERS = ("anon", "authenticated", "service_role")
"""Roles that PostgREST takes for a request, after it has connected as authenticator."""

EVERYBODY = (*CALLERS, "authenticator", "stranger")

_GENEROUS = "".join(
    f"alter default privileges for role wallet_owner grant all on {kind} to public, {', '.join(CALLERS)};"
    for kind in ("schemas", "tables", "sequences", "functions")
)
"""What a project may have been told to give away of everything that will ever be made."""


@pytest.fixture(scope="module")
async def project_server(postgres_version: int) -> Cluster:
    return await project_cluster(postgres_version)


@pytest.fixture(scope="module", params=["plain", "generous"])
async def project(request: pytest.FixtureRequest, project_server: Cluster) -> Callable[[str], str]:
    """The DSNs of a project that its owner has migrated, by user."""
    if request.param == "generous":
        # So that the role is there, and its owner's.
        await migrate(project_server.dsn(await create_project(project_server), OWNER), ROOMS)
    name = await create_project(project_server)
    if request.param == "generous":
        superuser = await asyncpg.connect(project_server.dsn(name))
        await superuser.execute(_GENEROUS)
        await superuser.close()
    await migrate(project_server.dsn(name, OWNER), ROOMS)

    def dsn(user: str) -> str:
        return project_server.dsn(name, user)

    return dsn


@pytest.fixture
async def superuser(project: Callable[[str], str]) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(project("postgres"))
    yield connection
    await connection.close()


async def connect_as(project: Callable[[str], str], role: str) -> asyncpg.Connection:
    """A session as the role has it: those that can't log in are taken by authenticator, as PostgREST does."""
    connection = await asyncpg.connect(project("authenticator" if role in CALLERS else role))
    if role in CALLERS:
        await connection.execute(f"set role {role}")
    assert await connection.fetchval("select current_user") == role
    return connection


@pytest.fixture(params=EVERYBODY)
async def somebody(
    request: pytest.FixtureRequest, project: Callable[[str], str]
) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect_as(project, request.param)
    yield connection
    await connection.close()


async def calls(superuser: asyncpg.Connection, schema: str) -> list[str]:
    """A call of each function of the schema, with nulls of the right types that the planner doesn't see."""
    rows = await superuser.fetch(
        """
        select format('select %I.%I(%s)', n.nspname, p.proname, (
          select string_agg(format('(select null::%s)', argument::regtype), ', ' order by place)
          from unnest(p.proargtypes::oid[]) with ordinality as a (argument, place))) as call
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = $1 order by 1
        """,
        schema,
    )
    assert len(rows) > 20
    return [row["call"] for row in rows]


async def attempts(superuser: asyncpg.Connection) -> list[str]:
    """Reading and writing each table and sequence, and what else takes a right on something of ours."""
    tables = await superuser.fetch(
        "select c.oid::regclass::text as name, a.attname as column from pg_class c"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum = c.relnatts"
        " where relnamespace = 'wallet'::regnamespace and relkind in ('r', 'p')"
    )
    sequences = await superuser.fetch(
        "select oid::regclass::text as name from pg_class"
        " where relnamespace = 'wallet'::regnamespace and relkind = 'S'"
    )
    assert len(tables) >= 9
    assert sequences
    tried = [
        "create table wallet.mine ()",
        "create table wallet_api.mine ()",
        "create function wallet_api.mine() returns int language sql as 'select 1'",
        "drop schema wallet_api cascade",
        "drop function wallet_api.read_health",
        "alter schema wallet_api owner to current_user",
        "alter function wallet_api.read_health security invoker",
        "set role wallet_owner",
        "set role wallet_service",
        f"set role {OWNER}",
        "grant wallet_owner to current_user",
    ]
    for table in tables:
        name, column = table["name"], table["column"]
        tried += [
            f"select from {name}",
            f"select count(*) from {name}",
            f"select {column} from {name}",
            f"copy {name} to stdout",
            f"insert into {name} default values",
            f"update {name} set {column} = {column}",
            f"delete from {name}",
            f"truncate {name}",
            f"lock table {name} in access share mode",
            f"drop table {name}",
            f"alter table {name} disable row level security",
            f"create policy mine on {name}",
            f"create view pg_temp.mine as select * from {name}; select * from pg_temp.mine",
        ]
    for sequence in sequences:
        tried += [f"select nextval('{sequence['name']}')", f"select last_value from {sequence['name']}"]
    return tried


async def allowed(connection: asyncpg.Connection, statements: Sequence[str]) -> list[str]:
    """The statements that were not refused for lack of a right; nothing of them stays."""
    found: list[str] = []
    for statement in statements:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(statement)
            found.append(statement)
        except Refused:
            pass
        except asyncpg.PostgresError as error:
            found.append(f"{statement}: {error}")
        finally:
            await transaction.rollback()
    return found


async def test_no_role_touches_a_table_or_becomes_the_owner(
    superuser: asyncpg.Connection, somebody: asyncpg.Connection
) -> None:
    assert await allowed(somebody, await attempts(superuser)) == []


async def test_no_role_calls_a_helper(superuser: asyncpg.Connection, somebody: asyncpg.Connection) -> None:
    assert await allowed(somebody, await calls(superuser, "wallet")) == []


@pytest.mark.parametrize("role", [role for role in EVERYBODY if role != "service_role"])
async def test_only_service_role_calls_a_function(
    *, project: Callable[[str], str], superuser: asyncpg.Connection, role: str
) -> None:
    connection = await connect_as(project, role)
    try:
        assert await allowed(connection, await calls(superuser, "wallet_api")) == []
    finally:
        await connection.close()


async def test_service_role_calls_every_function(
    project: Callable[[str], str], superuser: asyncpg.Connection
) -> None:
    connection = await connect_as(project, "service_role")
    try:
        for call in await calls(superuser, "wallet_api"):
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.fetchval(call)
            except Refused:
                raise
            except asyncpg.PostgresError as error:
                # Nulls are refused by the function itself, or by the table's owner's own constraints.
                assert error.sqlstate[:2] in ("WL", "22", "23"), (call, error)  # noqa: PT017
            finally:
                await transaction.rollback()
        assert '"code"' in await connection.fetchval("select wallet_api.list_currencies()")
    finally:
        await connection.close()


async def test_behind_the_door_of_the_schema_there_is_nothing_either(
    project: Callable[[str], str], superuser: asyncpg.Connection
) -> None:
    """Somebody grants usage of the schemas: what is inside stays closed by itself."""
    tried = [
        statement
        for statement in await attempts(superuser)
        if not statement.startswith(("create table", "set"))
    ]
    tried += [*await calls(superuser, "wallet"), *await calls(superuser, "wallet_api")]
    await superuser.execute("create role other_login login")
    try:
        await superuser.execute("grant usage on schema wallet, wallet_api to other_login")
        connection = await connect_as(project, "other_login")
        try:
            assert await allowed(connection, tried) == []
        finally:
            await connection.close()
    finally:
        await superuser.execute("drop owned by other_login")
        await superuser.execute("drop role other_login")


_RIGHTS = """
select acl.grantee, acl.privilege_type, object
from (
  select 'schema ' || nspname as object, nspacl as acl from pg_namespace where nspname in ('wallet', 'wallet_api')
  union all select 'relation ' || oid::regclass, relacl from pg_class
    where relnamespace in ('wallet'::regnamespace, 'wallet_api'::regnamespace)
  union all select 'column of ' || c.oid::regclass, attacl from pg_attribute join pg_class c on c.oid = attrelid
    where relnamespace = 'wallet'::regnamespace
  union all select 'function ' || oid::regprocedure, proacl from pg_proc
    where pronamespace in ('wallet'::regnamespace, 'wallet_api'::regnamespace)
) as ours, aclexplode(ours.acl) as acl
where acl.grantee = any (
  array(select case name when 'public' then 0 else to_regrole(name)::oid end from unnest($1::text[]) as name))
"""


async def rights(superuser: asyncpg.Connection, *roles: str) -> set[tuple[str, str]]:
    """What was granted to these roles on something of ours; public is a role here."""
    rows = await superuser.fetch(_RIGHTS, list(roles))
    return {(row["privilege_type"], row["object"]) for row in rows}


async def test_grants_are_what_they_should_be_and_no_more(superuser: asyncpg.Connection) -> None:
    functions = await superuser.fetch(
        "select 'function ' || oid::regprocedure as name from pg_proc where pronamespace = 'wallet_api'::regnamespace"
    )
    may_call = {("USAGE", "schema wallet_api"), *(("EXECUTE", row["name"]) for row in functions)}

    assert await rights(superuser, "public", "anon", "authenticated", "authenticator", "stranger") == set()
    assert await rights(superuser, "service_role") == may_call
    assert await rights(superuser, "wallet_service") == may_call
    assert not await superuser.fetchval("select pg_has_role('service_role', 'wallet_service', 'member')")


async def test_the_login_of_the_service_can_only_call(any_postgres: TestDatabase) -> None:
    superuser, login = (
        await asyncpg.connect(any_postgres.dsn),
        await asyncpg.connect(any_postgres.service_dsn),
    )
    try:
        tried = [attempt for attempt in await attempts(superuser) if attempt != "set role wallet_service"]
        helpers = [
            call for call in await calls(superuser, "wallet") if not call.startswith("select wallet.t_")
        ]
        assert await allowed(login, [*tried, *helpers]) == []
        assert '"migration"' in await login.fetchval("select wallet_api.read_health()")
        assert not await superuser.fetchval("select pg_has_role($1, 'wallet_owner', 'member')", SERVICE_LOGIN)
    finally:
        await superuser.close()
        await login.close()


@pytest.fixture
async def migrated(fresh_database: FreshDatabase, postgres_version: int) -> TestDatabase:
    return await fresh_database(version=postgres_version)


@pytest.fixture
async def admin(migrated: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(migrated.dsn)
    yield connection
    await connection.close()


async def run_script(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(migration_script(ROOMS))
    finally:
        await connection.close()


RUNS: dict[str, Callable[[str], Awaitable[object]]] = {
    "migrate": lambda dsn: migrate(dsn, ROOMS),
    "script": run_script,
}


def _handed_on(right: str, by: str, to: str) -> str:
    """Somebody gets a right and the option to hand it on, and does."""
    return f"grant {right} to {by} with grant option; set role {by}; grant {right} to {to}; reset role"


@pytest.mark.parametrize("way", RUNS)
@pytest.mark.parametrize(
    "change",
    [
        "revoke usage on schema wallet_api from service_role",
        "revoke execute on function wallet_api.read_health from service_role, wallet_service",
        "grant usage on schema wallet to anon",
        "grant create on schema wallet_api to service_role",
        "grant usage on schema wallet_api to public",
        "grant execute on function wallet_api.read_health to authenticated with grant option",
        "grant execute on function wallet.clock() to service_role",
        "grant select on wallet.wallets to service_role",
        "grant select (balance) on wallet.wallets to anon",
        "grant usage on all sequences in schema wallet to public",
        _handed_on("usage on schema wallet_api", "service_role", "anon"),
        _handed_on("execute on function wallet_api.read_health", "service_role", "authenticated"),
        _handed_on("execute on function wallet_api.read_health", "wallet_service", "public"),
    ],
)
async def test_the_next_run_sets_grants_right(
    *, migrated: TestDatabase, admin: asyncpg.Connection, change: str, way: str
) -> None:
    await migrate(migrated.dsn, ROOMS)
    before = [await rights(admin, role) for role in ("public", *CALLERS, "wallet_service")]
    await admin.execute(change)
    assert [await rights(admin, role) for role in ("public", *CALLERS, "wallet_service")] != before

    await RUNS[way](migrated.dsn)

    assert [await rights(admin, role) for role in ("public", *CALLERS, "wallet_service")] == before
    assert await admin.fetchval("select count(*) from wallet.releases") == 1


async def test_grants_to_other_roles_stay(migrated: TestDatabase, admin: asyncpg.Connection) -> None:
    billing = f"billing_{secrets.token_hex(4)}"
    await admin.execute(f"create role {billing}")
    try:
        await admin.execute(f"grant execute on function wallet_api.post_transactions to {billing}")
        await admin.execute("grant usage on schema wallet to anon")
        await migrate(migrated.dsn, ROOMS)
        assert {privilege for privilege, _ in await rights(admin, billing)} == {"EXECUTE"}
        assert await rights(admin, "anon") == set()
    finally:
        await admin.execute(f"drop owned by {billing}")
        await admin.execute(f"drop role {billing}")


async def test_service_role_may_come_after_the_first_run(postgres_version: int) -> None:
    cluster = await bare_cluster(postgres_version, "later")
    await create_database(cluster, "later", template="template0")
    dsn = cluster.dsn("later")
    assert (await migrate(dsn, ROOMS)).applied
    superuser = await asyncpg.connect(dsn)
    try:
        await superuser.execute("create role service_role nologin noinherit bypassrls")

        assert await migrate(dsn, ROOMS) == MigrationReport()

        assert await rights(superuser, "service_role") == await rights(superuser, "wallet_service") != set()
    finally:
        await superuser.close()


async def test_postgrest_is_notified_of_a_run_that_changed_something(
    migrated: TestDatabase, admin: asyncpg.Connection
) -> None:
    await migrate(migrated.dsn, ROOMS)
    heard: asyncio.Queue[str] = asyncio.Queue()
    await admin.add_listener("pgrst", lambda *said: heard.put_nowait(said[-1]))

    await admin.execute("grant usage on schema wallet_api to anon")
    await migrate(migrated.dsn, ROOMS)
    assert await asyncio.wait_for(heard.get(), 10) == "reload schema"

    await migrate(migrated.dsn, ROOMS)
    await run_script(migrated.dsn)
    await admin.execute("notify pgrst, 'the end'")
    assert await asyncio.wait_for(heard.get(), 10) == "the end"
