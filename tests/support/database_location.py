"""Where the service finds a database, through either driver."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from support.cluster import SERVICE_LOGIN, Cluster
from support.supabase import Project, open_project
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.database.postgres import PostgresDatabase
from wallet_service.platform.database.supabase import SupabaseDatabase

DatabaseLocation: TypeAlias = str | Project
"""The URL with which the service logs in, or a Supabase project."""


@asynccontextmanager
async def open_location(driver: str, cluster: Cluster, database: str) -> AsyncIterator[DatabaseLocation]:
    """Where this driver finds the database. For ``supabase`` a project is started on it."""
    if driver == "postgres":
        yield cluster.dsn(database, SERVICE_LOGIN)
    else:
        async with open_project(cluster.dsn(database, "authenticator"), database) as project:
            yield project


async def connect(location: DatabaseLocation, **options: Any) -> Database:
    """The driver for this location. It uses a project's newer key; applications use the legacy one."""
    if isinstance(location, Project):
        return await SupabaseDatabase.connect(location.url, location.secret_key, **options)
    return await PostgresDatabase.connect(location, **options)
