"""Databases like that of a new Supabase project: its roles, its event triggers, an owner that is no superuser."""

import os
import secrets
from pathlib import Path

import asyncpg
from filelock import FileLock

from support.cluster import BASE, SUPABASE_ROLES, Cluster, bare_cluster

OWNER = "project_owner"
_EVENT_TRIGGERS = """
create schema extensions;
create function extensions.pgrst_ddl_watch() returns event_trigger language plpgsql as $$
declare
  cmd record;
begin
  for cmd in select * from pg_event_trigger_ddl_commands() loop
    if cmd.command_tag in ('CREATE SCHEMA', 'CREATE TABLE', 'ALTER TABLE', 'CREATE FUNCTION', 'CREATE TRIGGER',
      'CREATE TYPE', 'COMMENT') and cmd.schema_name is distinct from 'pg_temp' then
      notify pgrst, 'reload schema';
    end if;
  end loop;
end $$;
create function extensions.pgrst_drop_watch() returns event_trigger language plpgsql as $$
declare
  obj record;
begin
  for obj in select * from pg_event_trigger_dropped_objects() loop
    if obj.object_type in ('schema', 'table', 'function', 'type') and obj.is_temporary is false then
      notify pgrst, 'reload schema';
    end if;
  end loop;
end $$;
create event trigger pgrst_ddl_watch on ddl_command_end execute function extensions.pgrst_ddl_watch();
create event trigger pgrst_drop_watch on sql_drop execute function extensions.pgrst_drop_watch();
"""
"""They work like Supabase's own: they notify PostgREST of each change of the schema."""


async def project_cluster(version: int) -> Cluster:
    """A server of this version with only Supabase's roles; all tests share it."""
    home = Path(os.environ[BASE]) / f"{version}-project"
    with FileLock(f"{home}.lock"):
        if (home / "ready").exists():
            return Cluster(version, home)
        made = await bare_cluster(version, "project")
        connection = await asyncpg.connect(made.dsn("postgres"))
        try:
            await connection.execute(SUPABASE_ROLES.read_text())
            await connection.execute("create role stranger login")
        finally:
            await connection.close()
        (home / "ready").touch()
        return made


async def create_project(cluster: Cluster) -> str:
    """An empty database that belongs to the project's owner; its name."""
    name = f"project_{secrets.token_hex(8)}"
    connection = await asyncpg.connect(cluster.dsn("postgres"))
    try:
        await connection.execute(f"create database {name} template template0 owner {OWNER}")
    finally:
        await connection.close()
    connection = await asyncpg.connect(cluster.dsn(name))
    try:
        await connection.execute(_EVENT_TRIGGERS)
    finally:
        await connection.close()
    return name
