"""Dependencies on the state of the application."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request

from wallet_service.platform.database.gateway import Database


async def database(request: Request) -> Database:
    """The database of the application."""
    return request.app.state.database


DatabaseOf = Annotated[Database, Depends(database)]
"""Parameter type of an endpoint that reads the database."""


def on_database(create: Callable[[Database], Any]) -> Any:
    """A dependency that is created from the application's database, such as a repository; one step instead of two."""

    async def created(request: Request) -> Any:
        return create(request.app.state.database)

    return Depends(created)
