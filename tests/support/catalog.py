"""The catalog of a database as text: everything that a migration creates, without the ledger's rows."""

from collections.abc import Mapping

import asyncpg

from wallet_service.platform.database.sql_files import read_sql_files
from wallet_service.rooms import ROOMS

_SCHEMAS = ", ".join(f"'{schema}'" for schema in read_sql_files(ROOMS).schemas)
_OURS = f"(select oid from pg_namespace where nspname in ({_SCHEMAS}))"
_SORTED = "array(select item::text from unnest({}) as item order by 1)"

_QUERIES = {
    "roles": "select rolname, rolcanlogin, rolinherit, rolsuper, rolcreaterole, rolbypassrls from pg_roles"
    " where rolname in ('wallet_owner', 'wallet_service')",
    "schemas": f"select nspname, nspowner::regrole, {_SORTED.format('nspacl')} from pg_namespace"
    f" where oid in {_OURS}",
    "relations": f"select oid::regclass, relkind, relowner::regrole, {_SORTED.format('relacl')}, relrowsecurity,"
    f" relforcerowsecurity, reloptions from pg_class where relnamespace in {_OURS}",
    "columns": "select attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,"
    " attcollation::regcollation, attacl, pg_get_expr(d.adbin, d.adrelid)"
    " from pg_attribute a join pg_class c on c.oid = attrelid"
    " left join pg_attrdef d on d.adrelid = attrelid and d.adnum = attnum"
    f" where relnamespace in {_OURS} and not attisdropped",
    "constraints": "select conrelid::regclass, contypid::regtype, conname, pg_get_constraintdef(oid) from pg_constraint"
    f" where connamespace in {_OURS}",
    "indexes": "select pg_get_indexdef(indexrelid) from pg_index join pg_class c on c.oid = indexrelid"
    f" where relnamespace in {_OURS}",
    "triggers": "select pg_get_triggerdef(t.oid) from pg_trigger t join pg_class c on c.oid = tgrelid"
    f" where relnamespace in {_OURS} and not tgisinternal",
    "types": f"select oid::regtype, typowner::regrole, typbasetype::regtype, {_SORTED.format('typacl')} from pg_type"
    f" where typnamespace in {_OURS}",
    "functions": f"select pg_get_functiondef(oid), proowner::regrole, {_SORTED.format('proacl')} from pg_proc"
    f" where pronamespace in {_OURS}",
    "comments": "select c.oid::regclass, objsubid, description from pg_description join pg_class c on c.oid = objoid"
    f" where classoid = 'pg_class'::regclass and relnamespace in {_OURS}",
    "policies": "select polname from pg_policy",
    "currencies": "select * from wallet.currencies",
    "migrations": "select number, name, checksum from wallet.migrations",
    "newest release": "select release, checksum, functions from wallet.releases order by sequence desc limit 1",
}


async def catalog(connection: asyncpg.Connection) -> Mapping[str, list[str]]:
    """The sorted rows of each part. Two equal databases have equal catalogs."""
    await connection.execute("set search_path = pg_catalog")
    try:
        return {
            part: [
                row[0]
                for row in await connection.fetch(
                    f'select r::text from ({query}) as r order by r::text collate "C"'
                )
            ]
            for part, query in _QUERIES.items()
            if part != "currencies"
            or await connection.fetchval("select to_regclass('wallet.currencies') is not null")
        }
    finally:
        await connection.execute("reset search_path")
