"""Puts the pieces of this room around an application."""

from collections.abc import Mapping

from fastapi import FastAPI

from wallet_service.database.gateway import Database
from wallet_service.http.auth import Authenticator
from wallet_service.http.body import BodyLimit
from wallet_service.http.middleware import RequestContext
from wallet_service.http.openapi import install_docs
from wallet_service.http.problems import install_handlers
from wallet_service.settings import Settings


def install(
    app: FastAPI, settings: Settings, database: Database, body_limits: Mapping[str, int] | None = None
) -> None:
    """Give the application its middleware, problems, docs and ``app.state.auth``.

    Args:
        app: made with ``docs_url=None, redoc_url=None, redirect_slashes=False``; not yet serving.
        settings: limits and credentials.
        database: where keys are.
        body_limits: bytes for paths whose bodies may be of another size than ``max_body_bytes``.

    The caller awaits ``app.state.auth.close()`` at the end.
    """
    app.state.auth = Authenticator.from_settings(settings, database)
    install_handlers(app)
    install_docs(app)
    # Each is put around those before it, so the last is the outermost.
    app.add_middleware(BodyLimit, limit_bytes=settings.max_body_bytes, limits_of_paths=body_limits or {})
    app.add_middleware(RequestContext)
