"""Which driver: the REST API of a Supabase project when the settings name one, else Postgres itself."""

from wallet_service.core.settings import Settings
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.database.postgres import PostgresDatabase


async def connect(settings: Settings, dsn: str | None, *, pool_size: int | None = None) -> Database:
    """The database of the service; connections are made when calls need them.

    Args:
        settings: name the project, or only how to use the connections.
        dsn: where the database is, when it is no Supabase project.
        pool_size: instead of the settings' own.
    """
    size = settings.database_pool_size if pool_size is None else pool_size
    if settings.supabase_url is not None and settings.supabase_service_role_key is not None:
        # Half a second of imports, for those only who need them.
        from wallet_service.platform.database.supabase import SupabaseDatabase  # noqa: PLC0415

        return await SupabaseDatabase.connect(
            str(settings.supabase_url),
            settings.supabase_service_role_key.get_secret_value(),
            pool_size=size,
            timeout_ms=settings.database_timeout_ms,
        )
    if dsn is None:
        raise ValueError("neither a Supabase project nor a database is named")
    return await PostgresDatabase.connect(
        dsn,
        pool_size=size,
        timeout_ms=settings.database_timeout_ms,
        statement_cache_size=settings.database_statement_cache_size,
    )
