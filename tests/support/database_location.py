"""Where the service finds a database: through either driver."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from support.cluster import SERVICE_LOGIN, Cluster
from support.supabase import Project, open_project
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.database.postgres import PostgresDatabase
from wallet_service.platform.database.supabase import SupabaseDatabase

Place: TypeAlias = str | Project
"""The address of a server, as the service logs in there, or a Supabase project."""


@asynccontextmanager
async def reached(driver: str, cluster: Cluster, database: str) -> AsyncIterator[Place]:
    """Where this driver finds the database: for ``supabase`` a project is opened on it."""
    if driver == "postgres":
        yield cluster.dsn(database, SERVICE_LOGIN)
    else:
        async with open_project(cluster.dsn(database, "authenticator"), database) as project:
            yield project


async def connect(place: Place, **options: Any) -> Database:
    """The driver of this place. It has a project's newer key; applications have the legacy one."""
    if isinstance(place, Project):
        return await SupabaseDatabase.connect(place.url, place.secret_key, **options)
    return await PostgresDatabase.connect(place, **options)
