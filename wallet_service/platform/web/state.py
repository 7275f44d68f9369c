"""What an application keeps for its requests."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request

from wallet_service.platform.database.gateway import Database


async def database(request: Request) -> Database:
    """The database of this application."""
    return request.app.state.database


DatabaseOf = Annotated[Database, Depends(database)]
"""Parameter type of an endpoint that reads the database."""


def on_database(make: Callable[[Database], Any]) -> Any:
    """Depend on what is made of the application's database, say a repository, in one step instead of two."""

    async def made(request: Request) -> Any:
        return make(request.app.state.database)

    return Depends(made)
