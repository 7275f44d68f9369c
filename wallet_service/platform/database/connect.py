"""Chooses the driver: the REST API of a Supabase project if the settings name one, else PostgreSQL itself."""

from wallet_service.core.settings import Settings
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.database.postgres import PostgresDatabase
from wallet_service.platform.database.settings import DatabaseSettings


async def connect(settings: Settings, dsn: str | None, *, pool_size: int | None = None) -> Database:
    """The database of the service. Connections are opened when calls need them.

    Args:
        settings: name the Supabase project, if there is one, and the limits of connections.
        dsn: of the database, if it is not a Supabase project.
        pool_size: used instead of that of the settings.

    Raises:
        ValueError: there is neither a project nor a DSN.
    """
    own = settings[DatabaseSettings]
    size = own.pool_size if pool_size is None else pool_size
    if own.supabase_url is not None and own.supabase_service_role_key is not None:
        # Imports that take half a second, and that only Supabase needs.
        from wallet_service.platform.database.supabase import SupabaseDatabase  # noqa: PLC0415

        return await SupabaseDatabase.connect(
            str(own.supabase_url),
            own.supabase_service_role_key.get_secret_value(),
            pool_size=size,
            timeout_ms=own.timeout_ms,
        )
    if dsn is None:
        raise ValueError("neither a Supabase project nor a database is named")
    return await PostgresDatabase.connect(
        dsn,
        pool_size=size,
        timeout_ms=own.timeout_ms,
        statement_cache_size=own.statement_cache_size,
        role=own.role,
    )
