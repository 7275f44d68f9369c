"""What an application keeps for its requests."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from wallet_service.database.gateway import Database


async def database(request: Request) -> Database:
    """The database of this application."""
    return request.app.state.database


DatabaseOf = Annotated[Database, Depends(database)]
"""Parameter type of an endpoint that reads the database."""
