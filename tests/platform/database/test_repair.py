"""Each run of `migrate`, and of its script, compares the functions with the catalog and repairs them."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import typer
from conftest import FreshDatabase, TestDatabase
from support.catalog import catalog
from support.command_line import run_command
from support.sample_releases import Release, function
from support.settings import make_settings

from wallet_service.core.commands import CommandLine
from wallet_service.platform.database.commands import add_commands
from wallet_service.platform.database.migrate import MigrationError, MigrationReport, migrate
from wallet_service.platform.database.script import migration_script

ONE, HELPER = ("wallet_api.one",), ("wallet.helper",)
EDITED = function("wallet_api.one", body="select 'edited'")

DAMAGE = {
    "dropped": ("drop function wallet_api.one()", ONE),
    "a private one dropped": ("drop function wallet.helper()", HELPER),
    "another body": (EDITED, ONE),
    "another result": (
        f"drop function wallet_api.one(); {EDITED.replace('returns text', 'returns name')}",
        ONE,
    ),
    "SECURITY DEFINER lost": ("alter function wallet_api.one() security invoker", ONE),
    "a private one made SECURITY INVOKER": ("alter function wallet.helper() security invoker", HELPER),
    "another search_path": ("alter function wallet_api.one() set search_path = public", ONE),
    "one setting more": ("alter function wallet_api.one() set work_mem = '1MB'", ONE),
    "no settings": ("alter function wallet_api.one() reset all", ONE),
    "another owner": ("alter function wallet_api.one() owner to current_user", ONE),
    "another volatility": ("alter function wallet_api.one() immutable", ONE),
    "an overload": (EDITED.replace("one()", "one(p_one int)"), ONE),
    "two at once": ("drop function wallet_api.one(); alter function wallet.helper() strict", HELPER + ONE),
}


@pytest.fixture
async def empty(fresh_database: FreshDatabase, postgres_version: int) -> TestDatabase:
    return await fresh_database(version=postgres_version, empty=True)


@pytest.fixture
async def admin(empty: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(empty.dsn)
    yield connection
    await connection.close()


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


async def test_what_is_no_longer_as_it_was_is_repaired(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    script = migration_script(release.rooms)
    await migrate(empty.dsn, release.rooms)
    right = await catalog(admin)
    for name, (damage, functions) in DAMAGE.items():
        await admin.execute(damage)
        assert await migrate(empty.dsn, release.rooms) == MigrationReport(functions_repaired=functions), name
        assert await catalog(admin) == right, name
        await admin.execute(damage)
        await admin.execute(script)
        assert await catalog(admin) == right, name
    assert await migrate(empty.dsn, release.rooms) == MigrationReport()
    assert await admin.fetchval("select count(*) from wallet.releases") == 1


async def test_grants_of_a_repaired_function_stay(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    """Also where it has to be dropped, because of another result."""
    await migrate(empty.dsn, release.rooms)
    reader = f"reader_{secrets.token_hex(6)}"
    await admin.execute(f"create role {reader}")
    try:
        await admin.execute(DAMAGE["another result"][0])
        await admin.execute(f"grant execute on function wallet_api.one() to {reader}")
        await migrate(empty.dsn, release.rooms)
        for role in (reader, "wallet_service"):
            assert await admin.fetchval(
                "select has_function_privilege($1, 'wallet_api.one()', 'execute')", role
            )
    finally:
        await admin.execute(f"drop owned by {reader}; drop role {reader}")


async def test_what_can_not_be_repaired_is_named(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    await migrate(empty.dsn, release.rooms)
    member = f"member_{secrets.token_hex(6)}"
    await admin.execute(f"create role {member} login in role wallet_owner")
    try:
        await admin.execute("alter function wallet_api.one() owner to postgres")
        reason = (
            r"^wallet_api\.one\(\) belongs to postgres; let that role or a superuser run: "
            r"alter routine wallet_api\.one\(\) owner to wallet_owner$"
        )
        with pytest.raises(MigrationError, match=reason):
            await migrate(empty.cluster.dsn(empty.name, member), release.rooms)
    finally:
        await admin.execute(f"drop role {member}")


async def test_a_function_that_another_object_uses_is_repaired_in_place(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    await migrate(empty.dsn, release.rooms)
    await admin.execute("create view public.theirs as select wallet_api.one()")
    await admin.execute(EDITED)

    await migrate(empty.dsn, release.rooms)

    assert await admin.fetchval("select * from public.theirs") == "one"


async def test_a_database_of_the_first_release_has_no_record_to_compare_with(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    await migrate(empty.dsn, release.rooms)
    await admin.execute("alter table wallet.releases drop column definitions")
    await admin.execute(EDITED)

    report = await migrate(empty.dsn, release.rooms)

    assert report == MigrationReport(functions_replaced=HELPER + ONE)
    assert await admin.fetchval("select wallet_api.one()") == "one"
    assert await migrate(empty.dsn, release.rooms) == MigrationReport()


async def test_the_command_names_what_it_repaired(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    await migrate(empty.dsn, release.rooms)
    await admin.execute(DAMAGE["two at once"][0])
    app = typer.Typer()
    app.callback()(lambda: None)  # with more than one command, each has its name
    add_commands(CommandLine(app, make_settings, release.rooms))

    done = await asyncio.to_thread(run_command, app, ["migrate", "--database-url", empty.dsn])

    assert done.exit_code == 0, done.output
    reason = "which was missing or not as this release creates it"
    lines = [f"repaired {name}, {reason}" for name in HELPER + ONE]
    assert done.output.splitlines()[:2] == lines


async def test_settings_of_the_login_make_no_difference(
    empty: TestDatabase, admin: asyncpg.Connection, release: Release
) -> None:
    """Definitions as text depend on these two."""
    release.write("one.sql", function("wallet_api.one", "p_thing wallet.things default null"))
    await migrate(empty.dsn, release.rooms)
    await admin.execute(
        f"alter database {empty.name} set search_path = wallet, public;"
        f" alter database {empty.name} set quote_all_identifiers = on"
    )

    assert await migrate(empty.dsn, release.rooms) == MigrationReport()
    await admin.execute("drop function wallet_api.one(wallet.things)")
    assert await migrate(empty.dsn, release.rooms) == MigrationReport(functions_repaired=ONE)
    assert await migrate(empty.dsn, release.rooms) == MigrationReport()
